import Autograd
import TensorCore
import TestSupport
import Testing

/// Linear layers with quantised weights: outputs and gradients are those of the dequantised weights.
@Suite struct QuantizedLinearTests {
    /// Two layers that read one input, one of them in parts and with a trained term beside it.
    private func run(_ weights: [LinearWeight], _ type: DType) -> [Tensor] {
        let x = Variable(Tensor.sample([2, 9, 64], seed: 1).converted(to: type), requiresGradient: true)
        let z = Variable(Tensor.sample([2, 9, 32], seed: 2).converted(to: type), requiresGradient: true)
        let up = Variable(Tensor.sample([40, 4], seed: 3), requiresGradient: true)
        let narrow = Variable(Tensor.sample([2, 9, 4], seed: 4).converted(to: type), requiresGradient: true)
        let a = Variable.linear([(x, weights[0])], activation: .geluTanh, dtype: type)
        let b = Variable.linear(
            Variable.terms(joining: [x, z], weight: weights[1]) + [(narrow, .variable(up))], dtype: type)
        (a.sum(axes: [0, 1, 2]) + (b * b).sum(axes: [0, 1, 2])).converted(to: .float32).backward()
        return [a.value, b.value, x.gradient!, z.gradient!, up.gradient!, narrow.gradient!]
    }

    @Test(arguments: [DType.float32, .bfloat16]) func equalsDequantized(type: DType) {
        let blocks = [
            QuantizedTensor.sample([48, 64], .q40, seed: 1), .sample([40, 96], .q50, seed: 2),
        ]
        let found = run(blocks.map { .frozen(QuantizedMatrix($0)) }, type)
        let wanted = run(blocks.map { .variable(Variable($0.dequantized(to: type))) }, type)
        for (a, b) in zip(found, wanted) { #expect(a.isIdentical(to: b)) }
    }

    /// Quantised and plain layers of one input that run together, with the same bits as dequantised.
    @Test(arguments: [DType.float32, .bfloat16]) func together(type: DType) {
        let blocks = [QuantizedTensor.sample([48, 64], .q40, seed: 1), .sample([40, 64], .q50, seed: 2)]
        let trained = Variable(Tensor.sample([7, 64], seed: 3).converted(to: type), requiresGradient: true)
        func run(_ weights: [LinearWeight]) -> [Tensor] {
            let x = Variable(Tensor.sample([3, 64], seed: 4).converted(to: type), requiresGradient: true)
            trained.clearGradient()
            let results = Variable.linear(
                together: (weights + [.variable(trained)]).map { LinearSum([(x, $0)], dtype: type) })
            let total = results.map { ($0 * $0).sum() }.reduce(Variable(Tensor(0).converted(to: type))) { $0 + $1 }
            total.converted(to: .float32).backward()
            return results.map(\.value) + [x.gradient!, trained.gradient!]
        }
        let found = run(blocks.map { .frozen(QuantizedMatrix($0)) })
        let wanted = run(blocks.map { .variable(Variable($0.dequantized(to: type))) })
        #expect(found.count == 5)
        for (a, b) in zip(found, wanted) { #expect(a.isIdentical(to: b)) }
    }

    /// A parameter in blocks counts its elements without expanding them and can be trained once expanded.
    @Test func parameter() {
        let blocks = QuantizedTensor.sample([4, 64], .q80, seed: 1)
        let parameter = Parameter(.quantized(blocks))
        #expect(parameter.shape == [4, 64] && parameter.dtype == .bfloat16 && !parameter.isTrained)
        guard case .frozen = parameter.weight else {
            Issue.record("blocks became numbers")
            return
        }
        #expect(parameter.value.isIdentical(to: blocks.dequantized(to: .bfloat16)))
        parameter.isTrained = true
        guard case .variable(let variable) = parameter.weight else {
            Issue.record("a trained parameter in blocks")
            return
        }
        #expect(variable.requiresGradient && variable.value.isIdentical(to: blocks.dequantized(to: .bfloat16)))
    }
}
