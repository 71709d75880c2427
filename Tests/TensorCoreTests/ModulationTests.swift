import TensorCore
import TestSupport
import Testing

/// The fused operations against the same expressions in small ones.
@Suite struct ModulationTests {
    @Test(arguments: [(2, 3, 17), (1, 1, 1), (3, 127, 64), (2, 0, 8)])
    func equalsTheSameInSmallOperations(batch: Int, tokens: Int, width: Int) {
        let x = Tensor.sample([batch, tokens, width], seed: 1)
        let y = Tensor.sample([batch, tokens, width], seed: 2)
        let scale = Tensor.sample([batch, 1, width], seed: 3)
        let shift = Tensor.sample([batch, 1, width], seed: 4)
        let norm = x.modulatedNorm(scale: scale, shift: shift, epsilon: 1e-6)
        #expect(norm.error(from: x.layerNorm(epsilon: 1e-6) * (scale + 1) + shift) <= 2e-6)
        #expect(x.addingGated(y, gate: scale).error(from: x + y * scale) <= 1e-6)

        let dy = Tensor.sample([batch, tokens, width], seed: 5)
        let g = Device.backend.modulatedNormGradient(
            x, scale: scale, epsilon: 1e-6, gradient: dy, needsInput: true, needsModulation: true)
        #expect(g.shift!.error(from: dy.sum(axes: [1], keepingAxes: true)) <= 1e-4)
        #expect(g.scale!.error(from: (dy * x.layerNorm(epsilon: 1e-6)).sum(axes: [1], keepingAxes: true)) <= 1e-4)
        let expected = Device.backend.layerNormGradient(
            x, weight: nil, epsilon: 1e-6, gradient: dy * (scale + 1), needsInput: true, needsParameters: false)
        #expect(g.input!.error(from: expected.input!) <= 1e-3)
        let gate = Device.backend.gateGradient(y, gradient: dy, shape: scale.shape)
        #expect(gate.error(from: (dy * y).sum(axes: [1], keepingAxes: true)) <= 1e-4)
    }

    @Test(arguments: [DType.bfloat16, .float16])
    func halfPrecisionRoundsOnce(dtype: DType) {
        let x = Tensor.sample([2, 5, 33], seed: 1).converted(to: dtype)
        let scale = Tensor.sample([2, 1, 33], seed: 3).converted(to: dtype)
        let wide = x.converted(to: .float32).modulatedNorm(
            scale: scale.converted(to: .float32), shift: scale.converted(to: .float32), epsilon: 1e-6)
        let half = x.modulatedNorm(scale: scale, shift: scale, epsilon: 1e-6)
        #expect(half.isIdentical(to: wide.converted(to: dtype)))
    }
}
