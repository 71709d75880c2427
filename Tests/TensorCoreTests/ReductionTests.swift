import TensorCore
import TestSupport
import Testing

@Suite struct ReductionTests {
    /// Every subset of the axes of a shape.
    private func subsets(_ rank: Int) -> [[Int]] {
        (0..<(1 << rank)).map { bits in (0..<rank).filter { bits >> $0 & 1 == 1 } }
    }

    private func expected(_ reduction: Reduction, _ x: Reference, _ axes: [Int]) -> Reference {
        var shape = x.shape
        for axis in axes { shape[axis] = 1 }
        return Reference(shape) { index in
            let values = zip(x.shape.allIndices, x.values).filter { place, _ in
                place.indices.allSatisfy { axes.contains($0) || place[$0] == index[$0] }
            }.map(\.1)
            switch reduction {
            case .sum: return values.reduce(0, +)
            case .mean: return values.reduce(0, +) / Double(values.count)
            case .maximum: return values.reduce(-.infinity) { max($0, $1) }
            }
        }
    }

    @Test(arguments: Reduction.allCases) func everySetOfAxes(reduction: Reduction) {
        for shape: Shape in [[], [7], [3, 5], [2, 3, 4], [2, 3, 1, 5], [2, 0, 3], [0], [1, 1]] {
            let x = Tensor.sample(shape, seed: 9)
            let reference = Reference(x)
            for axes in subsets(shape.rank) {
                let wanted = expected(reduction, reference, axes)
                for layout in Layout.allCases {
                    let kept = x.laidOut(layout).reduced(reduction, axes: axes.reversed(), keepingAxes: true)
                    #expect(kept.shape == wanted.shape)
                    let error = kept.error(from: wanted.values)
                    #expect(error <= 1e-6, "\(shape) \(axes) \(layout): \(error)")
                    let vanished = x.laidOut(layout).reduced(reduction, axes: axes.map { $0 - shape.rank })
                    #expect(vanished.shape.rank == shape.rank - axes.count)
                    #expect(vanished.floats.count == kept.floats.count)
                    #expect(vanished.error(from: wanted.values) <= 1e-6)
                }
            }
            let all = x.reduced(reduction)
            #expect(all.shape == [])
            #expect(all.error(from: expected(reduction, reference, Array(0..<shape.rank)).values) <= 1e-6)
        }
    }

    @Test func sumsAreRoundedOnce() {
        // A million times 0.1 in float32: a naive running sum is off by a percent.
        let x = Tensor(full: [1_000_000], 0.1)
        #expect(x.sum().scalar == Float(Double(Float(0.1)) * 1e6))
        // In bfloat16 a running sum would stop growing at 256.
        #expect(Tensor(full: [4096], 1, dtype: .bfloat16).sum().scalar == 4096)
        #expect(Tensor(full: [4096], 1, dtype: .float16).mean().scalar == 1)
    }

    @Test func maximumKeepsNotANumber() {
        for values: [Float] in [[.nan, 1, 2], [1, .nan, 2], [1, 2, .nan]] {
            #expect(Tensor(values, [3]).maximum().scalar.isNaN)
        }
        #expect(Tensor([-Float.infinity, -.infinity], [2]).maximum().scalar == -.infinity)
    }

    @Test func undoingABroadcast() {
        let x = Tensor.sample([2, 3, 4], seed: 1)
        let reference = Reference(x)
        let cases: [(Shape, [Int])] = [
            ([2, 3, 4], []), ([3, 4], [0]), ([4], [0, 1]), ([], [0, 1, 2]), ([2, 1, 4], [1]), ([1, 1, 1], [0, 1, 2]),
            ([3, 1], [0, 2]), ([1], [0, 1, 2]),
        ]
        for (target, axes) in cases {
            let found = x.summed(to: target)
            #expect(found.shape == target)
            #expect(found.error(from: expected(.sum, reference, axes).values) <= 1e-6)
        }
        #expect(Tensor(zeros: [0, 3]).summed(to: [3]).floats == [0, 0, 0])
        #expect(Tensor(zeros: [0, 3]).summed(to: [1, 3]).floats == [0, 0, 0])
    }

    @Test func theFirstOfEqualsIsPreferred() {
        let x = Tensor([1, 3, 3, 2, 5, 5, 5, 5, -.infinity, 0, -.infinity, -1] as [Float], [3, 4])
        #expect(x.topKMask(0).floats == [Float](repeating: 0, count: 12))
        #expect(x.topKMask(1).floats == [0, 1, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0])
        #expect(x.topKMask(2).floats == [0, 1, 1, 0, 1, 1, 0, 0, 0, 1, 0, 1])
        #expect(x.topKMask(3).floats == [0, 1, 1, 1, 1, 1, 1, 0, 1, 1, 0, 1])
        #expect(x.topKMask(4).floats == [Float](repeating: 1, count: 12))
        #expect(x.topKMask(1).dtype == .bool)
        #expect(x.argmax().elements(as: Int32.self) == [1, 0, 1])
        #expect(x.transposed().argmax().elements(as: Int32.self) == [1, 1, 1, 1])
        #expect(x.transposed().topKMask(1).transposed().floats == [0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0])
        #expect(Tensor(zeros: [0, 4]).argmax().shape == [0])
        #expect(Tensor(zeros: [0, 4]).topKMask(2).shape == [0, 4])
    }

    @Test func topKMasksAgreeWithSorting() {
        let x = Tensor.sample([40, 9], seed: 8).converted(to: .bfloat16)
        for k in 1...9 {
            let mask = x.topKMask(k).floats
            let values = x.floats
            for row in 0..<40 {
                let line = (0..<9).sorted { a, b in
                    let (u, v) = (values[row * 9 + a], values[row * 9 + b])
                    return u > v || u == v && a < b
                }
                #expect(Set(line.prefix(k)) == Set((0..<9).filter { mask[row * 9 + $0] == 1 }))
            }
        }
    }

    @Test func finiteness() {
        for dtype in [DType.float32, .bfloat16, .float16] {
            let largest: Float = dtype == .float16 ? 65504 : 3e38
            // Their sum overflows, none of them does.
            #expect(Tensor(full: [8], largest, dtype: dtype).isFinite)
            #expect(Tensor(zeros: [0], dtype: dtype).isFinite)
            for bad in [Float.nan, .infinity, -.infinity] {
                for place in 0..<3 {
                    var values: [Float] = [1, -2, 3]
                    values[place] = bad
                    #expect(!Tensor(values, [3]).converted(to: dtype).isFinite)
                }
            }
        }
    }
}
