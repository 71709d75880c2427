import Autograd
import Optimizers
import TensorCore
import Testing

@Suite struct GradientNormTests {
    private func parameters(_ gradients: [[Float]?]) -> [(name: String, parameter: Parameter)] {
        gradients.enumerated().map { index, values in
            let parameter = Parameter(Tensor(zeros: [values?.count ?? 1]), isTrained: true)
            parameter.variable.setGradient(values.map { Tensor($0, [$0.count]) })
            return ("p\(index)", parameter)
        }
    }

    @Test func clipsTogether() {
        let entries = parameters([[3, 0], nil, [0, -4]])
        #expect(gradientNorm(entries) == 5)
        #expect(clipGradientNorm(entries, maximum: 10) == 5)
        #expect(entries[0].parameter.variable.gradient?.floats == [3, 0])
        #expect(clipGradientNorm(entries, maximum: 0.5) == 5)
        #expect(abs(gradientNorm(entries) - 0.5) < 1e-6)
        #expect(entries[1].parameter.variable.gradient == nil)
        #expect(abs(entries[2].parameter.variable.gradient!.floats[1] + 0.4) < 1e-6)
    }

    @Test func manySmallTermsAreNotLost() {
        // 1 + 2^20 terms of 1e-8: float32 sums in order would lose every one of them beside the 1.
        let entries = parameters([[1] + [Float](repeating: 1e-4, count: 1 << 20)])
        let expected = (1 + Double(1 << 20) * Double(Float(1e-4)) * Double(Float(1e-4))).squareRoot()
        #expect(abs(gradientNorm(entries) - expected) < 1e-7)
    }

    @Test func brokenNormChangesNothing() {
        let entries = parameters([[.infinity, 1]])
        #expect(clipGradientNorm(entries, maximum: 1) == .infinity)
        #expect(entries[0].parameter.variable.gradient?.floats == [.infinity, 1])
        #expect(clipGradientNorm(parameters([[.nan]]), maximum: 1).isNaN)
        #expect(gradientNorm([]) == 0)
    }
}
