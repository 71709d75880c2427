public import Autograd
public import NeuralNet
import TensorCore

/// A mixture of LoRA experts beside a linear layer: `y + alpha / r * sum_e w_e B_e A_e x` (ICEdit, arXiv 2504.20690).
///
/// All experts are computed in two multiplications: A stacked to `[N r, in]`, the narrow activations of each expert
/// multiplied by its routing weight (0 unless chosen), B stacked to `[out, N r]`. No loop over experts, no gather.
///
/// While ``SideOutputs`` are collected, each run hands over the layer's losses and shares; ``RoutingReport`` reads them.
public final class LoRAMoE: LinearAdapter {
    /// The full name of the layer.
    public let layer: String
    /// All ways down, `[N r, in]`.
    public let a: Parameter
    /// All ways up, `[out, N r]`.
    public let b: Parameter
    /// The choice of experts.
    public let router: Router
    /// The sum is scaled by `alpha / rank`.
    public let alpha: Float
    private let context: AdapterContext

    /// The number N of experts.
    public var experts: Int { router.experts }
    /// The rank r of each expert.
    public var rank: Int { a.value.shape[0] / experts }

    init(layer: String, a: Tensor, b: Tensor, router: Router, alpha: Float, context: AdapterContext) {
        precondition(
            a.rank == 2 && b.rank == 2 && a.shape[0] == b.shape[1] && a.shape[0] % router.experts == 0,
            "\(router.experts) experts of \(a.shape) and \(b.shape)")
        self.layer = layer
        self.a = Parameter(a, isTrained: true)
        self.b = Parameter(b, isTrained: true)
        self.router = router
        self.alpha = alpha
        self.context = context
    }

    /// Adds the experts' sum, scaled by the set's strength too; at strength 0 `output` itself is returned.
    public func adapt(_ output: Variable, input: Variable) -> Variable {
        if context.strength == 0 { return output }
        let routing = router(input, pooledText: context.pooledText)
        if SideOutputs.isCollecting { SideOutputs.emit(layer, routing.sideOutputs) }

        let narrow = input.linear(weight: a.variable.converted(to: input.dtype))
        let byExpert = Array(narrow.shape.dimensions.dropLast()) + [experts, rank]
        let weights = (routing.weights * (alpha / Float(rank) * context.strength)).converted(to: input.dtype)
            .unsqueezed(-1)
        let weighted = (narrow.reshaped(to: byExpert) * weights).reshaped(to: narrow.shape.dimensions)
        return output + weighted.linear(weight: b.variable.converted(to: input.dtype), dtype: output.dtype)
    }
}
