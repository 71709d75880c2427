import Autograd
import NeuralNet
import TensorCore

/// The projections of one stream of tokens to queries, keys and values, with the norms of queries and keys per head.
private struct HeadProjections {
    let toQuery: Linear
    let toKey: Linear
    let toValue: Linear
    let normQuery: RMSNorm
    let normKey: RMSNorm
    let heads: Int
    let depth: Int
    private let names: [String]

    /// `names`: those of the three projections and the two norms.
    init(_ loader: WeightLoader, _ configuration: FluxConfiguration, names: [String]) {
        (heads, depth) = (configuration.numAttentionHeads, configuration.attentionHeadDim)
        let width = configuration.innerDimension
        toQuery = Linear(loader.scoped(names[0]), width, width)
        toKey = Linear(loader.scoped(names[1]), width, width)
        toValue = Linear(loader.scoped(names[2]), width, width)
        normQuery = RMSNorm(loader.scoped(names[3]), depth, epsilon: 1e-6)
        normKey = RMSNorm(loader.scoped(names[4]), depth, epsilon: 1e-6)
        self.names = names
    }

    var children: [(name: String, module: any Module)] {
        Array(zip(names, [toQuery, toKey, toValue, normQuery, normKey] as [any Module])).map { ($0, $1) }
    }

    /// `x` `[B, S, D]`: queries, keys and values, each `[B, S, heads, depth]`.
    func callAsFunction(_ x: Variable) -> (q: Variable, k: Variable, v: Variable) {
        let shape = [x.shape[0], x.shape[1], heads, depth]
        return (
            normQuery(toQuery(x).reshaped(to: shape)), normKey(toKey(x).reshaped(to: shape)),
            toValue(x).reshaped(to: shape)
        )
    }
}

/// Attention over text and image tokens in one sequence, each stream with its own projections.
final class JointAttention: Module {
    private let image: HeadProjections
    private let text: HeadProjections
    private let imageOutput: Linear
    private let textOutput: Linear

    init(_ configuration: FluxConfiguration, _ loader: WeightLoader) {
        let width = configuration.innerDimension
        image = HeadProjections(loader, configuration, names: ["to_q", "to_k", "to_v", "norm_q", "norm_k"])
        text = HeadProjections(
            loader, configuration,
            names: ["add_q_proj", "add_k_proj", "add_v_proj", "norm_added_q", "norm_added_k"])
        imageOutput = Linear(loader.scoped("to_out.0"), width, width)
        textOutput = Linear(loader.scoped("to_add_out"), width, width)
    }

    var children: [(name: String, module: any Module)] {
        image.children + text.children + [("to_out.0", imageOutput), ("to_add_out", textOutput)]
    }

    /// `image` `[B, S, D]`, `text` `[B, T, D]`, angles for `T + S` tokens; the same shapes come back.
    func callAsFunction(image x: Variable, text y: Variable, rotary: RotaryTable) -> (image: Variable, text: Variable) {
        let (a, b) = (text(y), image(x))
        let joined = fullAttention(
            .concatenated([a.q, b.q], axis: 1), .concatenated([a.k, b.k], axis: 1),
            .concatenated([a.v, b.v], axis: 1), rotary: rotary)
        let parts = joined.split(extents: [y.shape[1], x.shape[1]], axis: 1)
        return (imageOutput(parts[1]), textOutput(parts[0]))
    }
}

/// Attention over a sequence in which text and image are already one; its output is projected by the block.
final class SingleAttention: Module {
    private let projections: HeadProjections

    init(_ configuration: FluxConfiguration, _ loader: WeightLoader) {
        projections = HeadProjections(loader, configuration, names: ["to_q", "to_k", "to_v", "norm_q", "norm_k"])
    }

    var children: [(name: String, module: any Module)] { projections.children }

    /// `x` `[B, S, D]`; the same shape comes back.
    func callAsFunction(_ x: Variable, rotary: RotaryTable) -> Variable {
        let (q, k, v) = projections(x)
        return fullAttention(q, k, v, rotary: rotary)
    }
}

/// Turns queries and keys by their places and attends: `[B, S, H, D]` each, giving `[B, S, H D]`.
private func fullAttention(_ q: Variable, _ k: Variable, _ v: Variable, rotary table: RotaryTable) -> Variable {
    let depth = q.shape[3]
    let output = Variable.attention(
        q.rotary(cosine: table.cosine, sine: table.sine), k.rotary(cosine: table.cosine, sine: table.sine), v,
        options: AttentionOptions(scale: 1 / Float(depth).squareRoot()))
    return output.reshaped(to: [q.shape[0], q.shape[1], q.shape[2] * depth])
}
