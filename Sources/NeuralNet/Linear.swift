public import Autograd
import TensorCore

/// `y = x W^T + b`, with an optional adapter beside the frozen weight.
///
/// Shapes: `x` `[…, inputDimensions]`, `weight` `[outputDimensions, inputDimensions]`, `bias` `[outputDimensions]`.
public final class Linear: Module {
    /// `[outputDimensions, inputDimensions]`.
    public let weight: Parameter
    /// `[outputDimensions]`.
    public let bias: Parameter?
    /// What is trained beside the weight, if anything.
    public var adapter: (any LinearAdapter)?

    /// The extent of the input's last axis.
    public var inputDimensions: Int { weight.value.shape[1] }
    /// The extent of the output's last axis.
    public var outputDimensions: Int { weight.value.shape[0] }

    /// Reads `weight` and, unless `hasBias` is false, `bias`.
    public init(_ loader: WeightLoader, _ inputDimensions: Int, _ outputDimensions: Int, hasBias: Bool = true) {
        weight = loader.parameter("weight", [outputDimensions, inputDimensions])
        bias = hasBias ? loader.parameter("bias", [outputDimensions]) : nil
    }

    /// The weight, and the bias if there is one.
    public var parameters: [(name: String, parameter: Parameter)] {
        [("weight", weight)] + (bias.map { [("bias", $0)] } ?? [])
    }

    /// Applies the layer, and the adapter if there is one.
    public func callAsFunction(_ x: Variable) -> Variable {
        let y = x.linear(weight: weight.variable, bias: bias?.variable)
        return adapter.map { $0.adapt(y, input: x) } ?? y
    }
}

/// What can be trained beside a frozen linear layer.
public protocol LinearAdapter: AnyObject {
    /// The layer's output with the adapter's share added: `output` `[…, out]`, `input` `[…, in]`.
    func adapt(_ output: Variable, input: Variable) -> Variable
}
