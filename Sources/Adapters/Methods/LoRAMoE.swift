public import Autograd
public import NeuralNet
import TensorCore

/// A ``LoRAMoEMethod`` beside a layer.
///
/// All experts are computed in two multiplications: A stacked to `[N r, in]`, the low-rank activations of each expert
/// multiplied by its routing weight (0 unless chosen), B stacked to `[out, N r]`. No loop over experts, no gather.
///
/// While `AuxiliaryOutputs` are collected, each run hands over the layer's losses and shares; ``RoutingReport`` reads them.
public final class LoRAMoE: AdapterModule {
    /// The full name of the layer.
    public let layer: String
    /// All down projections, `[N r, in]`.
    public let a: Parameter
    /// All up projections, `[out, N r]`.
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

    /// The method with this adapter's hyperparameters.
    public var method: any AdapterMethod {
        LoRAMoEMethod(rank: rank, alpha: alpha, experts: experts, routing: router.options)
    }

    /// The experts' down projections, their up projections, the router's weights.
    public var parameters: [(name: String, parameter: Parameter)] {
        let pooled = router.pooledWeight.map { [(LoRAMoEMethod.pooledRouteName.name, $0)] } ?? []
        return [
            (LowRank.downName.name, a), (LowRank.upName.name, b), (LoRAMoEMethod.routeName.name, router.weight),
        ] + pooled
    }

    init(layer: String, _ lora: LowRank, router: Router, context: AdapterContext) {
        precondition(lora.rank % router.experts == 0, "\(router.experts) experts of \(lora.a.shape)")
        self.layer = layer
        a = Parameter(lora.a, isTrained: true)
        b = Parameter(lora.b, isTrained: true)
        self.router = router
        alpha = lora.alpha
        self.context = context
    }

    /// True where losses and shares, or statistics, are taken of the tokens.
    public var readsEveryToken: Bool { context.strength != 0 && (AuxiliaryOutputs.isCollecting || statistics != nil) }

    /// The input's down projections, each expert's scaled by its routing weight, `alpha / rank` and the set's strength, with
    /// the up projections; nothing at strength 0.
    public func contribution(to linear: Linear, of parts: [Variable]) -> LinearContribution {
        if context.strength == 0 { return LinearContribution() }
        let dtype = parts[0].dtype
        let routing = router(parts, pooledText: ForwardContext.current.pooledText)
        if AuxiliaryOutputs.isCollecting { AuxiliaryOutputs.emit(layer, routing.auxiliaryOutputs) }

        let down = Variable.linear(joining: parts, weight: a.variable.converted(to: dtype), dtype: dtype)
        statistics?.add(down: down.value, routing: routing.weights.value)
        let byExpert = Array(down.shape.dimensions.dropLast()) + [experts, rank]
        let weights = (routing.weights * (alpha / Float(rank) * context.strength)).converted(to: dtype)
            .unsqueezed(-1)
        let weighted = (down.reshaped(to: byExpert) * weights).reshaped(to: down.shape.dimensions)
        return LinearContribution(terms: [(weighted, b.variable.converted(to: dtype))])
    }
}
