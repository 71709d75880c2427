import Foundation
import TensorCore
import TestSupport
import Testing

@Suite struct NormalizationTests {
    /// `f` of each row of the last axis.
    private func byRow(_ x: Tensor, _ f: ([Double]) -> [Double]) -> [Double] {
        let (values, length) = (Reference(x).values, x.shape[-1])
        return stride(from: 0, to: values.count, by: max(length, 1)).flatMap { f(Array(values[$0..<$0 + length])) }
    }

    private func softmax(_ row: [Double]) -> [Double] {
        let largest = row.max() ?? 0
        if largest == -.infinity { return row.map { _ in 0 } }
        let powers = row.map { exp($0 - largest) }
        return powers.map { $0 / powers.reduce(0, +) }
    }

    private func moments(_ row: [Double]) -> (mean: Double, variance: Double) {
        let mean = row.reduce(0, +) / Double(row.count)
        return (mean, row.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(row.count))
    }

    static let shapes: [Shape] = [[1], [7], [3, 5], [2, 3, 127], [4, 1], [0, 5], [3, 0]]

    @Test(arguments: shapes) func softmaxOfRows(shape: Shape) {
        let x = Tensor.sample(shape, seed: 1, -8...8)
        for layout in Layout.allCases {
            #expect(x.laidOut(layout).softmax().error(from: byRow(x, softmax)) <= 1e-6)
        }
    }

    @Test func softmaxOfMaskedAndLargeRows() {
        let least = -Float.infinity
        let x = Tensor([least, least, least, 0, least, 0, 1000, 1000, 999, -1e30, 0, 1e30], [4, 3])
        let y = x.softmax()
        #expect(y.error(from: byRow(x, softmax)) <= 1e-6)
        #expect(Array(y.floats[0..<6]) == [0, 0, 0, 0.5, 0, 0.5])
        #expect(Tensor([Float.nan, 0], [2]).softmax().floats.filter { !$0.isNaN }.isEmpty)
    }

    @Test(arguments: shapes) func layerNorm(shape: Shape) {
        let x = Tensor.sample(shape, seed: 1) * 3 + 5
        let (w, b) = (Tensor.sample([shape[-1]], seed: 2), Tensor.sample([shape[-1]], seed: 3))
        let (scale, shift) = (Reference(w).values, Reference(b).values)
        let plain = byRow(x) { row in
            let (mean, variance) = moments(row)
            return row.map { ($0 - mean) / (variance + 1e-5).squareRoot() }
        }
        let width = max(shape[-1], 1)
        for layout in Layout.allCases {
            let view = x.laidOut(layout)
            #expect(view.layerNorm(epsilon: 1e-5).error(from: plain) <= 5e-6)
            let scaled = plain.enumerated().map { $0.element * scale[$0.offset % width] }
            #expect(view.layerNorm(weight: w.laidOut(layout), epsilon: 1e-5).error(from: scaled) <= 5e-6)
            let both = scaled.enumerated().map { $0.element + shift[$0.offset % width] }
            let found = view.layerNorm(weight: w, bias: b.laidOut(layout), epsilon: 1e-5)
            #expect(found.error(from: both) <= 5e-6)
            let shifted = plain.enumerated().map { $0.element + shift[$0.offset % width] }
            #expect(view.layerNorm(bias: b, epsilon: 1e-5).error(from: shifted) <= 5e-6)
        }
    }

    @Test func normsOfLargeMeansKeepTheirDigits() {
        // One part in 10^4 of spread: a variance computed as a difference of squares in float32 would be noise.
        let x = Tensor.sample([4, 64], seed: 1) + 8192
        let expected = byRow(x) { row in
            let (mean, variance) = moments(row)
            return row.map { ($0 - mean) / (variance + 1e-6).squareRoot() }
        }
        #expect(x.layerNorm(epsilon: 1e-6).error(from: expected) <= 1e-3)
    }

    @Test(arguments: shapes) func rmsNorm(shape: Shape) {
        let x = Tensor.sample(shape, seed: 1) * 3
        let w = Tensor.sample([shape[-1]], seed: 2)
        let scale = Reference(w).values
        let plain = byRow(x) { row in
            let square = row.reduce(0) { $0 + $1 * $1 } / Double(row.count)
            return row.map { $0 / (square + 1e-6).squareRoot() }
        }
        let scaled = plain.enumerated().map { $0.element * scale[$0.offset % max(shape[-1], 1)] }
        for layout in Layout.allCases {
            #expect(x.laidOut(layout).rmsNorm(epsilon: 1e-6).error(from: plain) <= 2e-6)
            #expect(x.laidOut(layout).rmsNorm(weight: w.laidOut(layout), epsilon: 1e-6).error(from: scaled) <= 2e-6)
        }
    }

    @Test(arguments: [1, 2, 3, 6]) func groupNorm(groups: Int) {
        let shape: Shape = [2, 6, 3, 5]
        let x = Tensor.sample(shape, seed: 1) * 2 + 1
        let (w, b) = (Tensor.sample([6], seed: 2), Tensor.sample([6], seed: 3))
        let (values, scale, shift) = (Reference(x), Reference(w), Reference(b))
        let size = 6 / groups
        let expected = Reference(shape) { index in
            let first = index[1] / size * size
            let members = shape.allIndices.filter { $0[0] == index[0] && $0[1] >= first && $0[1] < first + size }
            let (mean, variance) = moments(members.map { values[$0] })
            return (values[index] - mean) / (variance + 1e-6).squareRoot() * scale[index[1]] + shift[index[1]]
        }
        for layout in Layout.allCases {
            let found = x.laidOut(layout).groupNorm(
                groups: groups, weight: w.laidOut(layout), bias: b.laidOut(layout), epsilon: 1e-6)
            #expect(found.error(from: expected.values) <= 5e-6)
        }
        #expect(Tensor(zeros: [0, 6, 3, 5]).groupNorm(groups: groups, weight: w, bias: b, epsilon: 1e-6).count == 0)
    }
}
