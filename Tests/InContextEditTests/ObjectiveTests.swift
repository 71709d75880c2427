import Autograd
import Foundation
import InContextEdit
import TensorCore
import TestSupport
import Testing

/// Distributions of times, their weights and the loss of a region.
@Suite struct ObjectiveTests {
    private func samples(_ times: any TimeDistribution, tokens: Int = 1024, count: Int = 20_000) -> [Double] {
        var random = Random(seed: 7)
        return (0..<count).map { _ in Double(times.sample(&random, tokenCount: tokens)) }.sorted()
    }

    private func median(_ sorted: [Double]) -> Double { sorted[sorted.count / 2] }

    /// Every distribution is a monotone function of a known one: its quantiles are that function's.
    @Test func quantilesAreThoseOfTheFormulas() {
        func logistic(_ x: Double) -> Double { 1 / (1 + exp(-x)) }
        let normalQuantile = 0.6744897501960817  // of three quarters
        let cases: [(TimeSampling, Int, median: Double, upper: Double)] = [
            (.uniform, 1024, 0.5, 0.75),
            (.logitNormal, 1024, logistic(0.5), logistic(0.5 + 2 * normalQuantile)),
            (.sigmoid, 1024, 0.5, logistic(2 * normalQuantile)),
            (
                .shift, 1024, 3 * logistic(0.5) / (1 + 2 * logistic(0.5)),
                3 * logistic(0.5 + 2 * normalQuantile) / (1 + 2 * logistic(0.5 + 2 * normalQuantile))
            ),
            // A shift by e^mu adds mu to the logit.
            (.lengthShift, 256, logistic(0.5 + 0.5), logistic(0.5 + 0.5 + 2 * normalQuantile)),
            (.lengthShift, 4096, logistic(0.5 + 1.15), logistic(0.5 + 1.15 + 2 * normalQuantile)),
        ]
        for (name, tokens, expectedMedian, upper) in cases {
            let sorted = samples(name.distribution(mean: 0.5, deviation: 2, shift: 3), tokens: tokens)
            #expect(sorted.allSatisfy { $0 > 0 && $0 < 1 }, "\(name)")
            #expect(abs(median(sorted) - expectedMedian) < 0.012, "\(name): \(median(sorted)), not \(expectedMedian)")
            let found = sorted[sorted.count * 3 / 4]
            #expect(abs(found - upper) < 0.012, "\(name): \(found), not \(upper)")
        }
    }

    @Test func weightsAreThoseOfDiffusers() {
        #expect(TimeWeighting.none(0.3) == 1)
        #expect(abs(TimeWeighting.sigmaSqrt(0.25) - 16) < 1e-4)
        // compute_loss_weighting_for_sd3("cosmap", 0.25): 2 / (pi 0.625)
        #expect(abs(TimeWeighting.cosmap(0.25) - 1.0185916) < 1e-6)
        #expect(abs(TimeWeighting.cosmap(0.5) - 1.2732395) < 1e-6)
    }

    @Test func weightsAndRegionsWeighTheErrors() {
        let shape: Shape = [2, 3, 4]
        let (prediction, clean, noise) = (
            Tensor.sample(shape, seed: 1), Tensor.sample(shape, seed: 2), Tensor.sample(shape, seed: 3)
        )
        let time = Tensor([0.25, 0.5] as [Float], [2])
        let region = Tensor([1, 0, 0.5, 0, 0, 1] as [Float], [2, 3, 1])
        for (weighting, region) in [(TimeWeighting.none, region), (.cosmap, region), (.sigmaSqrt, nil)] {
            let (p, c, n) = (prediction.floats, clean.floats, noise.floats)
            var (sum, total) = (0.0, 0.0)
            for b in 0..<2 {
                for s in 0..<3 {
                    let weight = Double(region?.floats[b * 3 + s] ?? 1)
                    for k in 0..<4 {
                        let i = (b * 3 + s) * 4 + k
                        let error = Double(p[i]) - (Double(n[i]) - Double(c[i]))
                        sum += Double(weighting(time.floats[b])) * weight * error * error
                        total += weight
                    }
                }
            }
            let variable = Variable(prediction, requiresGradient: true)
            let loss = Objective(weighting: weighting).loss(
                variable, clean: clean, noise: noise, time: time, region: region)
            #expect(abs(Double(loss.value.scalar) - sum / total) < 1e-5 * sum / total)
            loss.backward()
            // What lies outside the region gets no gradient.
            let outside = variable.gradient!.floats[4..<8]
            #expect(outside.allSatisfy { ($0 == 0) == (region != nil) })
        }
        // Without either it is the mean squared error, bit for bit.
        let variable = Variable(prediction)
        let plain = Objective().loss(variable, clean: clean, noise: noise, time: time).value
        #expect(plain.isIdentical(to: variable.meanSquaredError(noise - clean).value))
        // An empty region has no loss, and no division by zero.
        let empty = Objective().loss(
            variable, clean: clean, noise: noise, time: time, region: Tensor(zeros: [2, 3, 1]))
        #expect(empty.value.scalar == 0)
    }
}
