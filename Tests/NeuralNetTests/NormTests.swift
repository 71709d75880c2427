import Autograd
import Foundation
import NeuralNet
import TensorCore
import TestSupport
import Testing

/// The norms against their formulas in double precision.
@Suite struct NormTests {
    private let x = Tensor.sample([2, 3, 8], seed: 1, -2...4)
    private let scale = Tensor.sample([8], seed: 2, 0.5...1.5)
    private let shift = Tensor.sample([8], seed: 3)
    private let epsilon: Float = 1e-3

    private func moments(_ row: [Double]) -> (mean: Double, variance: Double) {
        let mean = row.reduce(0, +) / Double(row.count)
        return (mean, row.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(row.count))
    }

    /// `f` of each row of eight, then scaled and shifted.
    private func byRow(scaled: Bool, shifted: Bool, _ f: ([Double]) -> [Double]) -> [Double] {
        let (values, w, b) = (Reference(x).values, Reference(scale), Reference(shift))
        return stride(from: 0, to: values.count, by: 8).flatMap { start in
            f(Array(values[start..<start + 8])).enumerated().map { place, value in
                value * (scaled ? w[place] : 1) + (shifted ? b[place] : 0)
            }
        }
    }

    private func layerNormed(_ row: [Double]) -> [Double] {
        let (mean, variance) = moments(row)
        return row.map { ($0 - mean) / (variance + Double(epsilon)).squareRoot() }
    }

    @Test func layerNormScalesAndShifts() {
        let norm = LayerNorm(loader([("weight", scale), ("bias", shift)]), 8, epsilon: epsilon)
        #expect(norm.parameters.map(\.name) == ["weight", "bias"])
        let error = norm(Variable(x)).value.error(from: byRow(scaled: true, shifted: true, layerNormed))
        #expect(error <= 1e-5, "\(error)")
    }

    @Test func layerNormWithoutParameters() {
        let norm = LayerNorm(epsilon: epsilon)
        #expect(norm.parameters.isEmpty)
        let error = norm(Variable(x)).value.error(from: byRow(scaled: false, shifted: false, layerNormed))
        #expect(error <= 1e-5, "\(error)")
    }

    @Test func rmsNormScales() {
        let norm = RMSNorm(loader([("weight", scale)]), 8, epsilon: epsilon)
        let expected = byRow(scaled: true, shifted: false) { row in
            let square = row.reduce(0) { $0 + $1 * $1 } / Double(row.count)
            return row.map { $0 / (square + Double(epsilon)).squareRoot() }
        }
        let error = norm(Variable(x)).value.error(from: expected)
        #expect(error <= 1e-5, "\(error)")
    }

    @Test func groupNormNormalisesChannelsTogether() {
        let image = Tensor.sample([2, 8, 3, 5], seed: 4, -2...4)
        let norm = GroupNorm(
            loader([("weight", scale), ("bias", shift)]), groups: 2, channels: 8, epsilon: epsilon)
        let (values, w, b) = (Reference(image), Reference(scale), Reference(shift))
        let expected = Reference(image.shape) { index in
            let first = index[1] / 4 * 4
            let group = (first..<first + 4).flatMap { channel in
                (0..<15).map { values[index[0], channel, $0 / 5, $0 % 5] }
            }
            let (mean, variance) = moments(group)
            let normed = (values[index] - mean) / (variance + Double(epsilon)).squareRoot()
            return normed * w[index[1]] + b[index[1]]
        }
        let error = norm(Variable(image)).value.error(from: expected.values)
        #expect(error <= 1e-5, "\(error)")
    }
}
