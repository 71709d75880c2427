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
        normQuery = RMSNorm(loader.scoped(names[3]), depth, epsilon: normEpsilon)
        normKey = RMSNorm(loader.scoped(names[4]), depth, epsilon: normEpsilon)
        self.names = names
    }

    var children: [(name: String, module: any Module)] {
        Array(zip(names, [toQuery, toKey, toValue, normQuery, normKey] as [any Module])).map { ($0, $1) }
    }

    /// `x` `[B, S, D]`: keys and values `[B, S, heads, depth]`, queries of the same tokens or of those in `asked`, and the
    /// norms that the attention applies.
    func callAsFunction(_ x: Variable, asked: Variable? = nil) -> AttentionStream<Variable> {
        func perHead(_ y: Variable) -> Variable { y.reshaped(to: [y.shape[0], y.shape[1], heads, depth]) }
        return AttentionStream(
            query: perHead(toQuery(asked ?? x)), key: perHead(toKey(x)), value: perHead(toValue(x)),
            queryNorm: normQuery.weight.variable, keyNorm: normKey.weight.variable)
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
    func callAsFunction(
        image x: consuming Variable, text y: consuming Variable, rotary: RotaryTable
    ) -> (image: Variable, text: Variable) {
        // The tokens end, if nobody else holds them, before the attention begins.
        let attended = fullAttention([text(consume y), image(consume x)], rotary: rotary)
        return (imageOutput(attended[1]), textOutput(attended[0]))
    }
}

/// Attention over a sequence in which text and image are already one; its output is projected by the block.
final class SingleAttention: Module {
    private let projections: HeadProjections

    init(_ configuration: FluxConfiguration, _ loader: WeightLoader) {
        projections = HeadProjections(loader, configuration, names: ["to_q", "to_k", "to_v", "norm_q", "norm_k"])
    }

    var children: [(name: String, module: any Module)] { projections.children }

    /// Whether an adapter must see queries of all tokens.
    var queriesReadEveryToken: Bool { projections.toQuery.readsEveryToken }

    /// What the last tokens of a sequence, `asked` `[B, Q, D]`, find in all of it, `x` `[B, S, D]`: `[B, Q, D]`.
    func callAsFunction(
        _ asked: consuming Variable, over x: consuming Variable, rotary: RotaryTable
    ) -> Variable {
        // The tokens end, if nobody else holds them, before the attention begins.
        fullAttention([projections(consume x, asked: consume asked)], rotary: rotary)[0]
    }
}

/// What the norms of queries and keys add to the mean squares.
private let normEpsilon: Float = 1e-6

/// Normalises queries and keys, turns them by their places and attends over all streams together: `[B, S, H, D]` each,
/// giving `[B, S, H D]` each.
private func fullAttention(_ streams: [AttentionStream<Variable>], rotary table: RotaryTable) -> [Variable] {
    let depth = streams[0].query.shape[3]
    let options = AttentionOptions(
        scale: 1 / Float(depth).squareRoot(), rotary: RotaryAngles(cosine: table.cosine, sine: table.sine),
        normEpsilon: normEpsilon)
    return Variable.attention(streams, options: options).map {
        $0.reshaped(to: [$0.shape[0], $0.shape[1], $0.shape[2] * depth])
    }
}
