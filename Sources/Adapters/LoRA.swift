public import Autograd
public import NeuralNet
import TensorCore

/// Low-rank adaptation of a linear layer (Hu et al. 2021, arXiv 2106.09685): `y + alpha / r * B A x`.
///
/// Shapes: `A` `[r, in]`, `B` `[out, r]`, both `float32`; the input may be of any floating-point type, and what is added
/// has the type of the layer's output.
public final class LoRA: LinearAdapter {
    /// The way down, `[r, in]`.
    public let a: Parameter
    /// The way up, `[out, r]`.
    public let b: Parameter
    /// The product is scaled by `alpha / rank`.
    public let alpha: Float
    private let context: AdapterContext

    /// The rank r.
    public var rank: Int { a.value.shape[0] }

    init(a: Tensor, b: Tensor, alpha: Float, context: AdapterContext) {
        precondition(a.rank == 2 && b.rank == 2 && a.shape[0] == b.shape[1], "a LoRA of \(a.shape) and \(b.shape)")
        self.a = Parameter(a, isTrained: true)
        self.b = Parameter(b, isTrained: true)
        self.alpha = alpha
        self.context = context
    }

    /// Adds the product, scaled by the set's strength too; at strength 0 `output` itself is returned.
    public func adapt(_ output: Variable, input: Variable) -> Variable {
        if context.strength == 0 { return output }
        let narrow = input.converted(to: .float32).linear(weight: a.variable)
        // Scaled where the product is narrow.
        let product = (narrow * (alpha / Float(rank) * context.strength)).linear(weight: b.variable)
        return output + product.converted(to: output.dtype)
    }
}
