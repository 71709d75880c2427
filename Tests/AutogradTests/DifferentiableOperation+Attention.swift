import Autograd
import TensorCore
import TestSupport

extension DifferentiableOperation {
    /// Attention and rotation.
    static let attentions: [DifferentiableOperation] = {
        func attention(_ name: String, _ q: Shape, _ k: Shape, _ options: AttentionOptions) -> DifferentiableOperation {
            .init("attention, \(name)", "attention(_:_:_:options:)", inputs: [.init(q), .init(k), .init(k)]) {
                .attention($0[0], $0[1], $0[2], options: options)
            }
        }
        /// Streams of queries, keys and values, and of the scales of their norms.
        func streams(_ name: String, _ shapes: [Shape], hasNorms: Bool, turns: Bool) -> DifferentiableOperation {
            let tokens = shapes.reduce(0) { $0 + $1[1] }
            let angles = Tensor.sample([tokens, shapes[0][3] / 2], seed: 73) * 3
            let rotary = RotaryAngles(cosine: angles.applying(.cosine), sine: angles.applying(.sine))
            let options = AttentionOptions(scale: 0.6, rotary: turns ? rotary : nil, normEpsilon: 1e-2)
            let width = hasNorms ? 5 : 3
            let inputs = shapes.flatMap { shape -> [Input] in
                let (x, norm) = (Input(shape), Input([shape[3]], 0.5...1.5))
                return [x, x, x] + (hasNorms ? [norm, norm] : [])
            }
            return DifferentiableOperation(
                "attention of streams, \(name)", severalResults: "attention(_:options:)", inputs: inputs
            ) { (x: [Variable]) -> [Variable] in
                let streams = stride(from: 0, to: x.count, by: width).map { (i: Int) -> AttentionStream<Variable> in
                    AttentionStream<Variable>(
                        query: x[i], key: x[i + 1], value: x[i + 2], queryNorm: hasNorms ? x[i + 3] : nil,
                        keyNorm: hasNorms ? x[i + 4] : nil)
                }
                return Variable.attention(streams, options: options)
            }
        }
        let masked = Tensor([0, -Float.infinity, 0.5, -.infinity, -.infinity, -.infinity], [2, 1, 1, 3])
        let angle = Tensor.sample([5, 2], seed: 74) * 3
        let angles = RotaryAngles(cosine: angle.applying(.cosine), sine: angle.applying(.sine))
        let plain: [DifferentiableOperation] = [
            attention("self", [2, 3, 2, 4], [2, 3, 2, 4], .init(scale: 0.5)),
            attention("cross", [1, 2, 2, 4], [1, 5, 2, 4], .init(scale: 0.5)),
            attention("of the last, turned", [1, 2, 2, 4], [1, 5, 2, 4], .init(scale: 0.5, rotary: angles)),
            attention("causal", [1, 4, 2, 3], [1, 4, 2, 3], .init(scale: 0.7, isCausal: true)),
            attention("causal, more queries", [1, 5, 1, 3], [1, 2, 1, 3], .init(scale: 0.7, isCausal: true)),
            attention(
                "bias of all axes", [2, 2, 2, 3], [2, 3, 2, 3],
                .init(scale: 0.7, bias: .sample([2, 2, 2, 3], seed: 70))),
            attention(
                "bias by head", [2, 2, 2, 3], [2, 3, 2, 3], .init(scale: 0.7, bias: .sample([2, 1, 3], seed: 71))),
            attention("one batch masked whole", [2, 2, 1, 3], [2, 3, 1, 3], .init(scale: 0.7, bias: masked)),
            attention("no queries", [1, 0, 2, 3], [1, 3, 2, 3], .init(scale: 0.7)),
            attention("no keys", [1, 2, 2, 3], [1, 0, 2, 3], .init(scale: 0.7)),
        ]
        let joint: [DifferentiableOperation] = [
            streams("one, normalised", [[2, 3, 2, 4]], hasNorms: true, turns: false),
            streams("two, turned", [[2, 3, 2, 4], [2, 2, 2, 4]], hasNorms: false, turns: true),
            streams("two, normalised and turned", [[2, 3, 2, 6], [2, 2, 2, 6]], hasNorms: true, turns: true),
            streams("two, one of no tokens", [[1, 0, 2, 4], [1, 3, 2, 4]], hasNorms: true, turns: true),
        ]
        let rotations: [DifferentiableOperation] = [
            .init("rotary", "rotary(cosine:sine:)", inputs: [[2, 3, 2, 4]]) {
                let angles = Tensor.sample([3, 2], seed: 72) * 3
                return $0[0].rotary(cosine: angles.applying(.cosine), sine: angles.applying(.sine))
            },
            .init("rotary of nothing", "rotary(cosine:sine:)", inputs: [[2, 0, 2, 4]]) {
                $0[0].rotary(cosine: Tensor(zeros: [0, 2]), sine: Tensor(zeros: [0, 2]))
            },
        ]
        return plain + joint + rotations
    }()
}
