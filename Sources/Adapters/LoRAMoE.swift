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
    /// What takes note of each run's tokens, if anything.
    var statistics: MixtureStatistics?

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

    /// True where losses and shares, or statistics, are taken of the tokens.
    public var readsEveryToken: Bool { context.strength != 0 && (SideOutputs.isCollecting || statistics != nil) }

    /// The input's ways down, each expert's scaled by its routing weight, `alpha / rank` and the set's strength; nothing
    /// at strength 0.
    public func sideProduct(of parts: [Variable]) -> (narrow: Variable, up: Variable)? {
        if context.strength == 0 { return nil }
        let dtype = parts[0].dtype
        let routing = router(parts, pooledText: ForwardContext.current.pooledText)
        if SideOutputs.isCollecting { SideOutputs.emit(layer, routing.sideOutputs) }

        let narrow = Variable.linear(joining: parts, weight: a.variable.converted(to: dtype), dtype: dtype)
        statistics?.add(narrow: narrow.value, routing: routing.weights.value)
        let byExpert = Array(narrow.shape.dimensions.dropLast()) + [experts, rank]
        let weights = (routing.weights * (alpha / Float(rank) * context.strength)).converted(to: dtype)
            .unsqueezed(-1)
        let weighted = (narrow.reshaped(to: byExpert) * weights).reshaped(to: narrow.shape.dimensions)
        return (weighted, b.variable.converted(to: dtype))
    }
}
