import Autograd
import NeuralNet
import TensorCore

/// Causal self-attention, then two linear layers with an activation between them, each on a normalised input and added
/// to it.
final class CLIPTextLayer: Module {
    private let norm1: LayerNorm
    private let query: Linear
    private let key: Linear
    private let value: Linear
    private let output: Linear
    private let norm2: LayerNorm
    private let expansion: Linear
    private let contraction: Linear
    private let configuration: CLIPTextConfiguration

    init(_ configuration: CLIPTextConfiguration, _ loader: WeightLoader) {
        let (width, epsilon) = (configuration.hiddenSize, configuration.layerNormEps)
        self.configuration = configuration
        norm1 = LayerNorm(loader.scoped("layer_norm1"), width, epsilon: epsilon)
        query = Linear(loader.scoped("self_attn.q_proj"), width, width)
        key = Linear(loader.scoped("self_attn.k_proj"), width, width)
        value = Linear(loader.scoped("self_attn.v_proj"), width, width)
        output = Linear(loader.scoped("self_attn.out_proj"), width, width)
        norm2 = LayerNorm(loader.scoped("layer_norm2"), width, epsilon: epsilon)
        expansion = Linear(loader.scoped("mlp.fc1"), width, configuration.intermediateSize)
        contraction = Linear(loader.scoped("mlp.fc2"), configuration.intermediateSize, width)
    }

    var children: [(name: String, module: any Module)] {
        [
            ("layer_norm1", norm1), ("self_attn.q_proj", query), ("self_attn.k_proj", key), ("self_attn.v_proj", value),
            ("self_attn.out_proj", output), ("layer_norm2", norm2), ("mlp.fc1", expansion), ("mlp.fc2", contraction),
        ]
    }

    /// `[B, T, d]`, `float32`, to the same; the layers compute in `computeType`.
    func callAsFunction(_ x: Variable, computeType: DType) -> Variable {
        let attended = x + attention(norm1(x).converted(to: computeType)).converted(to: .float32)
        let inner = expansion(norm2(attended).converted(to: computeType)).applying(configuration.hiddenAct.operation)
        return attended + contraction(inner).converted(to: .float32)
    }

    private func attention(_ x: Variable) -> Variable {
        let (batch, length, heads) = (x.shape[0], x.shape[1], configuration.numAttentionHeads)
        let depth = configuration.hiddenSize / heads
        func split(_ projection: Linear) -> Variable { projection(x).reshaped(to: [batch, length, heads, depth]) }
        let attended = Variable.attention(
            split(query), split(key), split(value),
            options: AttentionOptions(scale: 1 / Float(depth).squareRoot(), isCausal: true))
        return output(attended.reshaped(to: [batch, length, heads * depth]))
    }
}
