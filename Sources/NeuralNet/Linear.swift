public import Autograd
public import TensorCore

/// `y = x W^T + b`, with any number of adapters beside the frozen weight.
///
/// Shapes: `x` `[…, inputDimensions]`, `weight` `[outputDimensions, inputDimensions]`, `bias` `[outputDimensions]`.
public final class Linear: Module {
    /// `[outputDimensions, inputDimensions]`.
    public let weight: Parameter
    /// `[outputDimensions]`.
    public let bias: Parameter?
    /// What stands beside the weight; their products are added in this order.
    public var adapters: [any LinearAdapter] = []

    /// The extent of the input's last axis.
    public var inputDimensions: Int { weight.shape[1] }
    /// The extent of the output's last axis.
    public var outputDimensions: Int { weight.shape[0] }

    /// Reads `weight`, which stays quantised where its file has it so, and, unless `hasBias` is false, `bias`.
    public init(_ loader: WeightLoader, _ inputDimensions: Int, _ outputDimensions: Int, hasBias: Bool = true) {
        weight = loader.weight("weight", [outputDimensions, inputDimensions])
        bias = hasBias ? loader.parameter("bias", [outputDimensions]) : nil
    }

    /// The weight, and the bias if there is one.
    public var parameters: [(name: String, parameter: Parameter)] {
        [("weight", weight)] + (bias.map { [("bias", $0)] } ?? [])
    }

    /// Whether an adapter must see all tokens of the input, also those whose output nothing reads.
    public var readsEveryToken: Bool { adapters.contains { $0.readsEveryToken } }

    /// Applies the layer and its adapters in one sum of products, with the function that follows, if any. A trained
    /// weight is rounded to the input's type first, as mixed-precision training does; a frozen one is read as it lies,
    /// quantised or not.
    public func callAsFunction(_ x: Variable, activation: UnaryOperation? = nil) -> Variable {
        self(joining: [x], activation: activation)
    }

    /// The same for an input whose last axis is given in parts.
    public func callAsFunction(joining parts: [Variable], activation: UnaryOperation? = nil) -> Variable {
        let sum = sum(of: parts)
        return .linear(sum.terms, bias: sum.bias, activation: activation, dtype: sum.dtype)
    }

    /// What each of several layers, with its adapters, gives for one input, bit for bit as one by one, in one launch: for
    /// layers that are small.
    public static func together(_ layers: [Linear], of x: Variable) -> [Variable] {
        Variable.linear(together: layers.map { $0.sum(of: [x]) })
    }

    /// The layer and its adapters as one sum of products.
    private func sum(of parts: [Variable]) -> LinearSum {
        let dtype = parts[0].dtype
        let isMaster = weight.isTrained && weight.dtype == .float32
        var terms = Variable.terms(
            joining: parts, weight: isMaster ? .variable(weight.variable.converted(to: dtype)) : weight.weight)
        for adapter in adapters {
            if let side = adapter.sideProduct(of: parts) { terms.append((side.narrow, .variable(side.up))) }
        }
        return LinearSum(terms, bias: bias?.variable, dtype: dtype)
    }
}

/// What can be trained beside a frozen linear layer: a product of low rank that is added to the layer's.
public protocol LinearAdapter: AnyObject {
    /// For the parts of the layer's input, together `[…, in]`, the narrow activations `[…, r]`, scaled, and the way up
    /// `[out, r]`; nil when nothing is to be added.
    func sideProduct(of parts: [Variable]) -> (narrow: Variable, up: Variable)?

    /// Whether what it gives beside its product, such as a router's loss, depends on all tokens of the input, so that none
    /// may be left out though nothing reads its output. False unless an adapter says otherwise.
    var readsEveryToken: Bool { get }
}

extension LinearAdapter {
    /// False.
    public var readsEveryToken: Bool { false }
}
