public import Autograd
import TensorCore

/// What can be trained beside a frozen linear layer `y = x W^T + b`: a module whose parameters have the names that files of
/// adapters give them (`lora_A.weight`).
public protocol LinearAdapter: Module {
    /// What is to be made of the output of `layer` for the parts of its input, together `[…, in]`.
    func contribution(to layer: Linear, of parts: [Variable]) -> LinearContribution

    /// Whether what it gives beside its contribution, such as a router's loss, depends on all tokens of the input, so that
    /// none may be left out though nothing reads its output. False unless an adapter says otherwise.
    var readsEveryToken: Bool { get }
}

extension LinearAdapter {
    /// False.
    public var readsEveryToken: Bool { false }
}

/// What an adapter makes of a layer's output: `y = scale * (x W^T) + sum_i h_i U_i^T + addend + b`, where each part may be
/// absent.
///
/// With several adapters the sums are added, and of the scales what each differs from 1: `1 + sum_i (scale_i - 1)`. The order
/// of adapters thus does not matter, and each adds what it adds alone.
public struct LinearContribution {
    /// Inputs `[…, r]` with up projections `[out, r]`: products that join the layer's own in one sum.
    public var terms: [(input: Variable, weight: Variable)]
    /// A factor on each column of the layer's own product, `[out]`, `float32`; nil leaves them as they are.
    public var outputScale: Variable?
    /// An output of its own, `[…, out]`.
    public var addend: Variable?

    /// Collects the parts; nothing unless given.
    public init(
        terms: [(input: Variable, weight: Variable)] = [], outputScale: Variable? = nil, addend: Variable? = nil
    ) {
        self.terms = terms
        self.outputScale = outputScale
        self.addend = addend
    }
}

/// A layer's own product with what its adapters contribute, before anything is computed.
struct LinearOutput {
    private let own: [(input: Variable, weight: LinearWeight)]
    private var terms: [(input: Variable, weight: LinearWeight)] = []
    private var scale: Variable?
    private var addend: Variable?
    private let bias: Variable?
    private let dtype: DType

    init(own: [(input: Variable, weight: LinearWeight)], bias: Variable?, dtype: DType) {
        self.own = own
        self.bias = bias
        self.dtype = dtype
    }

    mutating func add(_ contribution: LinearContribution) {
        terms += contribution.terms.map { ($0.input, .variable($0.weight)) }
        if let other = contribution.outputScale { scale = scale.map { $0 + other - 1 } ?? other }
        if let other = contribution.addend?.converted(to: .float32) { addend = addend.map { $0 + other } ?? other }
    }

    /// Whether everything is one sum of products, which needs no pass of its own.
    var isSum: Bool { scale == nil && addend == nil }

    /// That sum.
    var sum: LinearSum {
        precondition(isSum, "more than a sum of products")
        return LinearSum(own + terms, bias: bias, dtype: dtype)
    }

    /// The output where it is more than a sum: in `float32`, rounded once, since a scale is near 1 and what it differs
    /// from 1 would be lost in a narrower type.
    var value: Variable {
        var unscaled = terms
        var y: Variable?
        if let scale {
            y = Variable.linear(own, dtype: .float32) * scale
        } else {
            unscaled = own + terms
        }
        if unscaled.isEmpty {
            if let bias { y = y.map { $0 + bias.converted(to: .float32) } }
        } else {
            let sum = Variable.linear(unscaled, bias: bias, dtype: .float32)
            y = y.map { $0 + sum } ?? sum
        }
        if let addend { y = y.map { $0 + addend } }
        return y!.converted(to: dtype)
    }
}
