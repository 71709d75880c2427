import Autograd
import NeuralNet
import TensorCore

/// Self-attention without scaling, biases by distance instead of position vectors.
final class T5Attention: Module {
    private let query: Linear
    private let key: Linear
    private let value: Linear
    private let output: Linear
    private let distanceBias: Embedding?
    private let configuration: T5Configuration

    init(_ configuration: T5Configuration, _ loader: WeightLoader, hasDistanceBias: Bool) {
        let inner = configuration.numHeads * configuration.dKv
        self.configuration = configuration
        query = Linear(loader.scoped("q"), configuration.dModel, inner, hasBias: false)
        key = Linear(loader.scoped("k"), configuration.dModel, inner, hasBias: false)
        value = Linear(loader.scoped("v"), configuration.dModel, inner, hasBias: false)
        output = Linear(loader.scoped("o"), inner, configuration.dModel, hasBias: false)
        distanceBias =
            hasDistanceBias
            ? Embedding(
                loader.scoped("relative_attention_bias"), configuration.relativeAttentionNumBuckets,
                configuration.numHeads) : nil
    }

    var children: [(name: String, module: any Module)] {
        [("q", query), ("k", key), ("v", value), ("o", output)]
            + (distanceBias.map { [("relative_attention_bias", $0)] } ?? [])
    }

    /// What is added to the products of queries and keys, `[1, H, T, T]`, `float32`; nil in a block that has no table.
    func positionBias(length: Int) -> Tensor? {
        let buckets = RelativePositionBuckets(
            count: configuration.relativeAttentionNumBuckets, maxDistance: configuration.relativeAttentionMaxDistance)
        return distanceBias.map {
            let byPair = $0(buckets.table(length: length)).value.converted(to: .float32)
            return byPair.permuted([2, 0, 1]).contiguous().unsqueezed(0)
        }
    }

    /// `[B, T, d]` to the same shape.
    func callAsFunction(_ x: Variable, positionBias: Tensor) -> Variable {
        let (batch, length) = (x.shape[0], x.shape[1])
        func heads(_ projection: Linear) -> Variable {
            projection(x).reshaped(to: [batch, length, configuration.numHeads, configuration.dKv])
        }
        let attended = Variable.attention(
            heads(query), heads(key), heads(value), options: AttentionOptions(scale: 1, bias: positionBias))
        return output(attended.reshaped(to: [batch, length, configuration.numHeads * configuration.dKv]))
    }
}

/// `wo(gelu(wi_0 x) * wi_1 x)`, GELU in its tanh form (Shazeer 2020, "GLU variants improve transformer").
final class T5FeedForward: Module {
    private let gate: Linear
    private let input: Linear
    private let output: Linear

    init(_ configuration: T5Configuration, _ loader: WeightLoader) {
        gate = Linear(loader.scoped("wi_0"), configuration.dModel, configuration.dFf, hasBias: false)
        input = Linear(loader.scoped("wi_1"), configuration.dModel, configuration.dFf, hasBias: false)
        output = Linear(loader.scoped("wo"), configuration.dFf, configuration.dModel, hasBias: false)
    }

    var children: [(name: String, module: any Module)] { [("wi_0", gate), ("wi_1", input), ("wo", output)] }

    /// `[B, T, d]` to the same shape.
    func callAsFunction(_ x: Variable) -> Variable { output(gate(x).applying(.geluTanh) * input(x)) }
}

/// Attention, then feed-forward, each on the normalised sum of all that came before and added to it.
final class T5Block: Module {
    let attention: T5Attention
    private let attentionNorm: RMSNorm
    private let feedForward: T5FeedForward
    private let feedForwardNorm: RMSNorm

    init(_ configuration: T5Configuration, _ loader: WeightLoader, isFirst: Bool) {
        let (first, second) = (loader.scoped("layer", 0), loader.scoped("layer", 1))
        let (width, epsilon) = (configuration.dModel, configuration.layerNormEpsilon)
        attention = T5Attention(configuration, first.scoped("SelfAttention"), hasDistanceBias: isFirst)
        attentionNorm = RMSNorm(first.scoped("layer_norm"), width, epsilon: epsilon)
        feedForward = T5FeedForward(configuration, second.scoped("DenseReluDense"))
        feedForwardNorm = RMSNorm(second.scoped("layer_norm"), width, epsilon: epsilon)
    }

    var children: [(name: String, module: any Module)] {
        [
            ("layer.0.SelfAttention", attention), ("layer.0.layer_norm", attentionNorm),
            ("layer.1.DenseReluDense", feedForward), ("layer.1.layer_norm", feedForwardNorm),
        ]
    }

    /// `[B, T, d]`, `float32`, to the same; the layers compute in `computeType`.
    func callAsFunction(_ x: Variable, positionBias: Tensor, computeType: DType) -> Variable {
        let attended = attention(attentionNorm(x).converted(to: computeType), positionBias: positionBias)
        let middle = x + attended.converted(to: .float32)
        let update = feedForward(feedForwardNorm(middle).converted(to: computeType))
        return middle + update.converted(to: .float32)
    }
}
