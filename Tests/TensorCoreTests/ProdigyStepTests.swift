import Foundation
import TensorCore
import TestSupport
import Testing

@Suite struct ProdigyStepTests {
    private let scalars = ProdigyMomentOptions(beta1: 0.9, beta2: 0.99, beta3: 0.995, first: 0.3, second: 0.2, sum: 1.5)

    private func moments(_ count: Int) -> ProdigyMoments {
        ProdigyMoments(
            first: Tensor.sample([count], seed: 3), second: Tensor.sample([count], seed: 4).applying(.square),
            sum: Tensor.sample([count], seed: 5))
    }

    /// Mishchenko and Defazio 2023, algorithm 2, in double precision.
    @Test(arguments: [0, 1, 3, 17, 127, 100_003], [false, true]) func formula(count: Int, hasStart: Bool) {
        let (parameter, gradient) = (Tensor.sample([count], seed: 1), Tensor.sample([count], seed: 2))
        let start = hasStart ? Tensor.sample([count], seed: 6) : nil
        let moments = moments(count)
        let (g, p0) = (
            Reference(gradient).values,
            start.map { Reference($0).values } ?? [Double](repeating: 0, count: count)
        )
        var p = Reference(parameter).values
        var (m, v, s) = (
            Reference(moments.first).values, Reference(moments.second).values, Reference(moments.sum).values
        )
        var (correlation, magnitude) = (0.0, 0.0)
        for i in 0..<count {
            correlation += g[i] * (p0[i] - p[i])
            m[i] = 0.9 * m[i] + 0.3 * g[i]
            v[i] = 0.99 * v[i] + 0.2 * g[i] * g[i]
            s[i] = 0.995 * s[i] + 1.5 * g[i]
            magnitude += abs(s[i])
            p[i] = 0.98 * p[i] - 0.1 * m[i] / (v[i].squareRoot() + 0.05)
        }
        let sums = Device.backend.prodigyMoments(
            moments, gradient: gradient, parameter: parameter, start: start, options: scalars)
        Device.backend.prodigyStep(parameter, moments: moments, decay: 0.98, step: 0.1, epsilon: 0.05)
        #expect(abs(sums.correlation - correlation) <= 1e-6 * max(1, magnitude))
        #expect(abs(sums.magnitude - magnitude) <= 1e-6 * max(1, magnitude))
        let errors = [
            parameter.error(from: p), moments.first.error(from: m), moments.second.error(from: v),
            moments.sum.error(from: s),
        ]
        #expect(errors.allSatisfy { $0 <= 2e-6 }, "\(errors)")
    }

    @Test func sumsDoNotDependOnThreads() {
        let (parameter, gradient) = (Tensor.sample([200_001], seed: 1), Tensor.sample([200_001], seed: 2))
        func run() -> [Double] {
            let sums = Device.backend.prodigyMoments(
                moments(200_001), gradient: gradient, parameter: parameter, start: nil, options: scalars)
            return [sums.correlation, sums.magnitude, Device.backend.sumOfSquares(gradient)]
        }
        // Alone in the pool, and inside another loop, where all pieces run on one thread.
        let wide = run()
        parallelFor(2, grain: 1) { part in
            for _ in part { #expect(run() == wide) }
        }
    }

    @Test func sumOfSquaresOfEveryLayoutAndType() {
        for layout in Layout.allCases {
            let x = Tensor.sample([7, 9], seed: 1)
            let expected = Reference(x).values.reduce(0) { $0 + $1 * $1 }
            #expect(abs(Device.backend.sumOfSquares(x.laidOut(layout)) - expected) < 1e-9 * expected)
        }
        #expect(Device.backend.sumOfSquares(Tensor([3, 4] as [Float], [2]).converted(to: .bfloat16)) == 25)
        #expect(Device.backend.sumOfSquares(Tensor(zeros: [0])) == 0)
    }
}
