import TensorCore

/// The weights of one layer's adapter, as a file's layout gives them or takes them; all tensors are `float32`.
enum AdapterWeights {
    /// A plain LoRA: `a` `[r, in]`, `b` `[out, r]`.
    case lora(a: Tensor, b: Tensor, alpha: Float)
    /// A mixture: `a` `[N r, in]`, `b` `[out, N r]`, `route` `[N, in]`, `pooledRoute` `[N, P]`.
    case mixture(a: Tensor, b: Tensor, route: Tensor, pooledRoute: Tensor?, alpha: Float, options: RoutingOptions)

    /// Fresh weights that change nothing: A gaussian with deviation `1 / r`, B zero, the router gaussian with deviation
    /// 0.02, its pooled part too.
    static func initial(
        _ configuration: AdapterConfiguration, isMixture: Bool, input: Int, output: Int, pooledWidth: Int?,
        random: inout Random
    ) -> AdapterWeights {
        let deviation: Float = 0.02
        if !isMixture {
            let rank = configuration.loraRank
            return .lora(
                a: random.randn([rank, input]) * (1 / Float(rank)), b: Tensor(zeros: [output, rank]),
                alpha: configuration.loraAlpha)
        }
        let (rank, experts) = (configuration.moeRank, configuration.experts)
        return .mixture(
            a: random.randn([experts * rank, input]) * (1 / Float(rank)), b: Tensor(zeros: [output, experts * rank]),
            route: random.randn([experts, input]) * deviation,
            pooledRoute: pooledWidth.map { random.randn([experts, $0]) * deviation }, alpha: configuration.moeAlpha,
            options: configuration.routing)
    }
}

/// An adapter's place in the model.
struct AdaptedLayer {
    /// The full name of the layer.
    let name: String
    /// What is added there.
    let weights: AdapterWeights
}
