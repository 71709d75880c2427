import Foundation
import TensorCore
import TestSupport
import Testing

@Suite struct AttentionTests {
    /// The definition, index by index in double precision: output `[B, S, H, D]` and log-sum-exp `[B, H, S]`.
    private func expected(
        _ q: Tensor, _ k: Tensor, _ v: Tensor, _ options: AttentionOptions
    ) -> (output: Reference, logSumExp: Reference) {
        let (x, y, z, bias) = (Reference(q), Reference(k), Reference(v), options.bias.map { Reference($0) })
        let (columns, depth) = (k.shape[1], q.shape[3])
        func scores(_ b: Int, _ s: Int, _ h: Int) -> [Double] {
            (0..<columns).map { t in
                if options.isCausal && t > s { return -.infinity }
                let dot = (0..<depth).reduce(0.0) { $0 + x[b, s, h, $1] * y[b, t, h, $1] }
                return dot * Double(options.scale) + (bias.map { $0[b, h, s, t] } ?? 0)
            }
        }
        let output = Reference(q.shape) { index in
            let row = scores(index[0], index[1], index[2])
            let largest = row.max() ?? -.infinity
            if largest == -.infinity { return 0 }
            let powers = row.map { exp($0 - largest) }
            let sum = (0..<columns).reduce(0.0) { $0 + powers[$1] * z[index[0], $1, index[2], index[3]] }
            return sum / powers.reduce(0, +)
        }
        let logSumExp = Reference([q.shape[0], q.shape[2], q.shape[1]]) { index in
            let row = scores(index[0], index[2], index[1])
            let largest = row.max() ?? -.infinity
            return largest == -.infinity ? -.infinity : largest + log(row.reduce(0) { $0 + exp($1 - largest) })
        }
        return (output, logSumExp)
    }

    private struct Case {
        var q: Shape
        var k: Shape
        var bias: Shape?
        var isCausal = false
    }

    private let cases: [Case] = [
        .init(q: [1, 1, 1, 1], k: [1, 1, 1, 1]), .init(q: [2, 5, 3, 4], k: [2, 5, 3, 4]),
        .init(q: [1, 17, 2, 8], k: [1, 17, 2, 8], isCausal: true), .init(q: [2, 3, 2, 5], k: [2, 9, 2, 5]),
        .init(q: [1, 9, 2, 5], k: [1, 3, 2, 5], isCausal: true),
        .init(q: [1, 3, 2, 5], k: [1, 9, 2, 5], isCausal: true),
        .init(q: [2, 4, 3, 4], k: [2, 6, 3, 4], bias: [2, 3, 4, 6]),
        .init(q: [2, 4, 3, 4], k: [2, 6, 3, 4], bias: [3, 4, 6]),
        .init(q: [2, 4, 3, 4], k: [2, 6, 3, 4], bias: [2, 1, 1, 6], isCausal: true),
        .init(q: [2, 4, 3, 4], k: [2, 6, 3, 4], bias: [4, 1]), .init(q: [2, 4, 3, 4], k: [2, 6, 3, 4], bias: []),
        .init(q: [1, 0, 2, 4], k: [1, 3, 2, 4]), .init(q: [1, 3, 2, 4], k: [1, 0, 2, 4]),
        .init(q: [0, 3, 2, 4], k: [0, 3, 2, 4]), .init(q: [1, 127, 1, 17], k: [1, 129, 1, 17]),
    ]

    @Test(arguments: CPUBackend.Engine.allCases) func definition(engine: CPUBackend.Engine) {
        for item in cases {
            let q = Tensor.sample(item.q, seed: 1) * 2
            let (k, v) = (Tensor.sample(item.k, seed: 2) * 2, Tensor.sample(item.k, seed: 3))
            let bias = item.bias.map { Tensor.sample($0, seed: 4) * 2 }
            let options = AttentionOptions(scale: 0.6, isCausal: item.isCausal, bias: bias)
            let wanted = expected(q, k, v, options)
            Device.withBackend(CPUBackend(engine: engine)) {
                for layout in Layout.allCases {
                    let laidOut = AttentionOptions(scale: 0.6, isCausal: item.isCausal, bias: bias?.laidOut(layout))
                    let found = Tensor.attention(
                        q.laidOut(layout), k.laidOut(layout), v.laidOut(layout), options: laidOut)
                    let errors = (
                        found.output.error(from: wanted.output.values),
                        found.logSumExp.error(from: wanted.logSumExp.values)
                    )
                    #expect(errors.0 <= 3e-6 && errors.1 <= 3e-6, "\(item) \(layout): \(errors)")
                    #expect(found.output.shape == item.q)
                    #expect(found.logSumExp.shape == [item.q[0], item.q[2], item.q[1]])
                }
            }
        }
    }

    @Test func rowsMaskedWholeGiveZeros() {
        let (q, k) = (Tensor.sample([1, 2, 1, 3], seed: 1), Tensor.sample([1, 4, 1, 3], seed: 2))
        let least = -Float.infinity
        let bias = Tensor([least, least, least, least, least, 0, least, least], [2, 4])
        let result = Tensor.attention(q, k, k, options: .init(scale: 1, bias: bias))
        #expect(result.output.floats == [0, 0, 0] + k.floats[3..<6])
        #expect(result.logSumExp.floats[0] == -.infinity)
    }

    /// The same expression in small operations.
    @Test func composition() {
        let shape: Shape = [2, 6, 3, 4]
        let (q, k, v) = (Tensor.sample(shape, seed: 1), Tensor.sample(shape, seed: 2), Tensor.sample(shape, seed: 3))
        let heads = [q, k, v].map { $0.permuted([0, 2, 1, 3]) }
        let weights = (heads[0].matrixProduct(heads[1], transposingOther: true) * 0.5).softmax()
        let composed = weights.matrixProduct(heads[2]).permuted([0, 2, 1, 3])
        let fused = Tensor.attention(q, k, v, options: .init(scale: 0.5)).output
        #expect(fused.error(from: composed) <= 2e-6)
    }

    @Test func rotary() {
        let x = Tensor.sample([2, 5, 3, 8], seed: 1)
        let angles = Tensor.sample([5, 4], seed: 2) * 6
        let (cosine, sine) = (angles.applying(.cosine), angles.applying(.sine))
        let (values, turn) = (Reference(x), Reference(angles))
        let expected = Reference(x.shape) { index in
            let (pair, isSecond) = (index[3] / 2, index[3] % 2 == 1)
            let place = Array(index.dropLast())
            let (a, b) = (values[place + [2 * pair]], values[place + [2 * pair + 1]])
            let angle = turn[index[1], pair]
            return isSecond ? b * cos(angle) + a * sin(angle) : a * cos(angle) - b * sin(angle)
        }
        for layout in Layout.allCases {
            let turned = x.laidOut(layout).rotary(cosine: cosine.laidOut(layout), sine: sine.laidOut(layout))
            #expect(turned.error(from: expected.values) <= 1e-6)
            #expect(turned.rotary(cosine: cosine, sine: sine, inverse: true).error(from: x) <= 1e-6)
        }
    }
}
