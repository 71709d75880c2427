public import Autograd
public import NeuralNet
import TensorCore

/// Low-rank adaptation of a linear layer (Hu et al. 2021, arXiv 2106.09685): `y + alpha / r * B A x`.
///
/// Shapes: `A` `[r, in]`, `B` `[out, r]`, both `float32` masters. They are rounded to the input's type for the two
/// multiplications, as mixed-precision training does, and their gradients are `float32`.
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

    /// The input's way down, scaled by `alpha / rank` and the set's strength where it is narrow; nothing at strength 0.
    public func sideProduct(of parts: [Variable]) -> (narrow: Variable, up: Variable)? {
        if context.strength == 0 { return nil }
        let dtype = parts[0].dtype
        let narrow = Variable.linear(joining: parts, weight: a.variable.converted(to: dtype), dtype: dtype)
        let scale = alpha / Float(rank) * context.strength
        return (scale == 1 ? narrow : narrow * scale, b.variable.converted(to: dtype))
    }
}
