import TensorCore
import TestSupport
import Testing

@Suite struct AdamWStepTests {
    /// Loshchilov and Hutter 2019, algorithm 2, in double precision over five steps.
    @Test(arguments: [0, 0.1]) func formula(weightDecay: Double) {
        let shape: Shape = [7, 9]
        let (parameter, first, second) = (Tensor.sample(shape, seed: 1), Tensor(zeros: shape), Tensor(zeros: shape))
        var p = Reference(parameter).values
        var m = [Double](repeating: 0, count: p.count)
        var v = m
        let (rate, beta1, beta2, epsilon) = (1e-2, 0.9, 0.99, 0.05)
        for step in 1...5 {
            let gradient = Tensor.sample(shape, seed: UInt64(step + 1))
            let g = Reference(gradient).values
            let (correction1, correction2) = (1 - power(beta1, step), 1 - power(beta2, step))
            for i in p.indices {
                m[i] = beta1 * m[i] + (1 - beta1) * g[i]
                v[i] = beta2 * v[i] + (1 - beta2) * g[i] * g[i]
                p[i] -= rate * weightDecay * p[i]
                p[i] -= rate * (m[i] / correction1) / ((v[i] / correction2).squareRoot() + epsilon)
            }
            // Gradients may come as strided views.
            Device.backend.adamWStep(
                parameter, gradient: gradient.laidOut(Layout.allCases[step % 4]), first: first, second: second,
                options: AdamWStepOptions(
                    learningRate: Float(rate), beta1: Float(beta1), beta2: Float(beta2), epsilon: Float(epsilon),
                    weightDecay: Float(weightDecay), biasCorrection1: Float(correction1),
                    biasCorrection2: Float(correction2)))
            let errors = (parameter.error(from: p), first.error(from: m), second.error(from: v))
            #expect(errors.0 <= 2e-6 && errors.1 <= 1e-6 && errors.2 <= 1e-6, "step \(step): \(errors)")
        }
    }

    private func power(_ base: Double, _ exponent: Int) -> Double { (0..<exponent).reduce(1) { y, _ in y * base } }
}
