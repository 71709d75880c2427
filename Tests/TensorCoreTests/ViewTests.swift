import TensorCore
import TestSupport
import Testing

@Suite struct ViewTests {
    /// 0, 1, 2, … in a shape.
    private func counting(_ shape: Shape) -> Tensor { Tensor((0..<shape.count).map { Float($0) }, shape) }

    @Test func transposesAndPermutations() {
        let x = counting([2, 3, 4])
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            let y = x.permuted(order)
            let expected = Reference(Shape(order.map { x.shape[$0] })) { index in
                var original = [0, 0, 0]
                for (place, axis) in order.enumerated() { original[axis] = index[place] }
                return Reference(x)[original]
            }
            #expect(y.shape == expected.shape && y.storage === x.storage)
            #expect(y.error(from: expected.values) == 0)
            #expect(y.copied().isContiguous && y.copied().error(from: expected.values) == 0)
            #expect(y.isContiguous == (order == [0, 1, 2]))
        }
        #expect(x.transposed().shape == [2, 4, 3])
        #expect(x.transposed(0, -1).shape == [4, 3, 2])
    }

    @Test func slicesAndSplits() {
        let x = counting([3, 4])
        #expect(x.sliced(axis: 0, 1..<3).floats == [4, 5, 6, 7, 8, 9, 10, 11])
        #expect(x.sliced(axis: -1, 1..<3).floats == [1, 2, 5, 6, 9, 10])
        #expect(x.sliced(axis: 0, 1..<3).sliced(axis: 1, 3..<4).floats == [7, 11])
        #expect(x.transposed().sliced(axis: 0, 2..<3).floats == [2, 6, 10])
        #expect(x.sliced(axis: 0, 3..<3).shape == [0, 4])
        #expect(x.sliced(axis: 0, 1..<3).isContiguous)
        #expect(!x.sliced(axis: 1, 0..<2).isContiguous)
        #expect(x.sliced(axis: 0, 1..<2).sliced(axis: 1, 0..<2).isContiguous)
        let parts = x.split(into: 2, axis: 1)
        #expect(parts.map(\.floats) == [[0, 1, 4, 5, 8, 9], [2, 3, 6, 7, 10, 11]])
        #expect(counting([0, 4]).split(into: 2, axis: 0).map(\.shape) == [[0, 4], [0, 4]])
    }

    @Test func unsqueezingAndSqueezing() {
        let x = counting([2, 3]).transposed()
        for axis in -3...2 {
            let y = x.unsqueezed(axis)
            let place = axis < 0 ? axis + 3 : axis
            #expect(y.shape[place] == 1 && y.rank == 3)
            #expect(y.floats == x.floats)
            #expect(y.squeezed(place).shape == x.shape && y.squeezed(place).floats == x.floats)
            #expect(y.contiguous().floats == x.floats)
        }
        #expect(Tensor(3).unsqueezed(0).shape == [1])
    }

    @Test func expanding() {
        let x = counting([3, 1])
        let y = x.expanded(to: [2, 3, 4])
        #expect(y.storage === x.storage && y.strides == [0, 1, 0])
        #expect(y.error(from: Reference([2, 3, 4]) { Double($0[1]) }.values) == 0)
        #expect(Tensor(5).expanded(to: [2, 2]).floats == [5, 5, 5, 5])
        #expect(counting([1]).expanded(to: [0]).count == 0)
        #expect(counting([2, 1, 3]).expanded(to: [2, 0, 3]).shape == [2, 0, 3])
    }

    /// What is tested, a view, the shape that it is taken of, and the shape that it takes without a copy.
    static let reshapes: [(String, @Sendable (Tensor) -> Tensor, Shape, [Int])] = [
        ("dense to one axis", { $0 }, [2, 3, 4], [24]),
        ("dense with a free extent", { $0 }, [2, 3, 4], [4, -1]),
        ("a slice of the first axis", { $0.sliced(axis: 0, 1..<3) }, [3, 4, 2], [4, 4]),
        ("merging the dense tail of a slice", { $0.sliced(axis: 0, 0..<2) }, [4, 3, 4], [2, 12]),
        ("merging the axes of a strided block", { $0.sliced(axis: -1, 0..<2) }, [3, 4, 5], [12, 2]),
        ("splitting an axis of a transpose", { $0.transposed() }, [6, 4], [4, 2, 3]),
        ("splitting both axes of a transpose", { $0.transposed() }, [6, 4], [2, 2, 3, 2]),
        ("splitting the last axis of a slice", { $0.sliced(axis: 1, 2..<6) }, [2, 8], [2, 2, 2]),
        ("merging and splitting again", { $0.sliced(axis: -1, 0..<2) }, [3, 4, 5], [2, 6, 2]),
        ("extents of one anywhere", { $0.transposed() }, [3, 2], [1, 2, 1, 3, 1]),
        ("a broadcast axis split", { $0.expanded(to: [6, 4]) }, [1, 4], [2, 3, 4]),
        ("heads out of a row", { $0.sliced(axis: -1, 6..<12) }, [2, 3, 18], [2, 3, 2, 3]),
    ]

    @Test(arguments: reshapes.indices) func reshaping(row: Int) {
        let (name, view, base, dimensions) = Self.reshapes[row]
        let x = view(counting(base))
        let y = x.reshaped(to: dimensions)
        #expect(y.storage === x.storage, "\(name)")
        #expect(y.floats == x.floats, "\(name)")
        #expect(y.shape.count == x.shape.count, "\(name)")
        let copy = x.copied().reshaped(to: dimensions)
        #expect(copy.shape == y.shape && copy.floats == y.floats, "\(name)")
    }

    @Test func reshapingWhatDoesNotLieTogetherIsRefused() async {
        await #expect(processExitsWith: .failure) { _ = Tensor(zeros: [2, 3]).transposed().reshaped(to: [6]) }
        await #expect(processExitsWith: .failure) {
            _ = Tensor(zeros: [4, 4]).sliced(axis: 1, 0..<2).reshaped(to: [8])
        }
        await #expect(processExitsWith: .failure) { _ = Tensor(zeros: [2, 3]).reshaped(to: [7]) }
        await #expect(processExitsWith: .failure) { _ = Tensor(zeros: [2, 3]).sliced(axis: 1, 2..<4) }
    }

    @Test func viewsOfNothing() {
        let x = Tensor(zeros: [3, 0])
        #expect(x.transposed().isContiguous)
        #expect(x.transposed().reshaped(to: [0]).shape == [0])
        #expect(x.transposed().reshaped(to: [2, 0, 5]).shape == [2, 0, 5])
        #expect(x.permuted([1, 0]).copied().shape == [0, 3])
        #expect(x.reshaped(to: [-1, 7]).shape == [0, 7])
        #expect(x.floats == [] && x.transposed().floats == [])
        #expect(Tensor(zeros: [0]).description.contains("[0]"))
    }

    @Test(arguments: Layout.allCases) func layoutsOfTheTestsKeepValues(layout: Layout) {
        for shape: Shape in [[], [5], [2, 3], [2, 3, 4], [0, 3]] {
            let x = counting(shape)
            #expect(x.laidOut(layout).floats == x.floats)
            #expect(x.laidOut(layout).shape == x.shape)
        }
        #expect(!counting([2, 3]).laidOut(.strided).isContiguous)
        #expect(!counting([2, 3]).laidOut(.transposed).isContiguous)
    }
}
