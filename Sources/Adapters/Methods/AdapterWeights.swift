import Autograd
import NeuralNet
public import TensorCore

/// One layer's adapter as files and runs hold it: its method with the hyperparameters of this layer, and its tensors by the
/// names that they have among a run's parameters, all `float32`.
public struct AdapterWeights: Sendable {
    /// The method, with the hyperparameters that belong to the tensors.
    public var method: any AdapterMethod
    /// The tensors by ``AdapterTensorName/name``.
    public var tensors: [String: Tensor]

    /// Joins a method and its tensors.
    public init(_ method: any AdapterMethod, _ tensors: [String: Tensor]) {
        (self.method, self.tensors) = (method, tensors)
    }
}

/// An adapter's place in the model.
public struct AdaptedLayer: Sendable {
    /// The full name of the layer.
    public let name: String
    /// What stands beside it.
    public let weights: AdapterWeights

    /// Joins a name and weights.
    public init(name: String, weights: AdapterWeights) {
        (self.name, self.weights) = (name, weights)
    }
}

extension AdapterModule {
    /// The present weights.
    var weights: AdapterWeights {
        AdapterWeights(
            method, Dictionary(uniqueKeysWithValues: namedParameters().map { ($0.name, $0.parameter.value) }))
    }
}
