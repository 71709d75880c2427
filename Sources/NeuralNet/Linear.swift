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

    /// Applies the layer and its adapters, with the function that follows, if any: in one sum of products, unless an
    /// adapter scales the layer's columns or adds a whole output. A trained weight is rounded to the input's type first, as
    /// mixed-precision training does; a frozen one is read as it lies, quantised or not.
    public func callAsFunction(_ x: Variable, activation: UnaryOperation? = nil) -> Variable {
        self(joining: [x], activation: activation)
    }

    /// The same for an input whose last axis is given in parts.
    public func callAsFunction(joining parts: [Variable], activation: UnaryOperation? = nil) -> Variable {
        let output = output(of: parts)
        if output.isSum {
            let sum = output.sum
            return .linear(sum.terms, bias: sum.bias, activation: activation, dtype: sum.dtype)
        }
        let y = output.value
        return activation.map { y.applying($0) } ?? y
    }

    /// What each of several layers, with its adapters, gives for one input, bit for bit as one by one; those that are sums
    /// of products in one launch: for layers that are small.
    public static func together(_ layers: [Linear], of x: Variable) -> [Variable] {
        let outputs = layers.map { $0.output(of: [x]) }
        var sums = Variable.linear(together: outputs.filter(\.isSum).map(\.sum))[...]
        return outputs.map { $0.isSum ? sums.removeFirst() : $0.value }
    }

    /// The layer with what its adapters contribute.
    private func output(of parts: [Variable]) -> LinearOutput {
        let dtype = parts[0].dtype
        let isMaster = weight.isTrained && weight.dtype == .float32
        var output = LinearOutput(
            own: Variable.terms(
                joining: parts, weight: isMaster ? .variable(weight.variable.converted(to: dtype)) : weight.weight),
            bias: bias?.variable, dtype: dtype)
        for adapter in adapters { output.add(adapter.contribution(to: self, of: parts)) }
        return output
    }
}
