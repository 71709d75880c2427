import TensorCore
import TestSupport
import Testing

@Suite struct CopyTests {
    @Test(arguments: DType.allCases) func concatenating(dtype: DType) {
        let parts = [2, 0, 1, 3].enumerated().map { index, extent in
            (Tensor.sample([2, extent, 3], seed: UInt64(index)) * 50).converted(to: dtype)
        }
        let references = parts.map { Reference($0) }
        for axis in [1, -2] {
            let expected = Reference([2, 6, 3]) { index in
                var (part, row) = (0, index[1])
                while row >= parts[part].shape[1] {
                    row -= parts[part].shape[1]
                    part += 1
                }
                return references[part][index[0], row, index[2]]
            }
            for layout in Layout.allCases {
                let joined = Tensor.concatenated(parts.map { $0.laidOut(layout) }, axis: axis)
                #expect(joined.dtype == dtype && joined.shape == [2, 6, 3])
                #expect(joined.error(from: expected.values) == 0)
                #expect(joined.isContiguous)
            }
        }
        #expect(Tensor.concatenated([parts[0]], axis: 0).isIdentical(to: parts[0]))
    }

    @Test(arguments: DType.allCases) func padding(dtype: DType) {
        let x = (Tensor.sample([2, 3], seed: 1) * 50).converted(to: dtype)
        let values = Reference(x)
        for (low, high) in [([0, 0], [0, 0]), ([1, 0], [0, 2]), ([2, 1], [1, 3])] {
            let expected = Reference([2 + low[0] + high[0], 3 + low[1] + high[1]]) { index in
                let (i, j) = (index[0] - low[0], index[1] - low[1])
                return (0..<2).contains(i) && (0..<3).contains(j) ? values[i, j] : 1
            }
            for layout in Layout.allCases {
                let padded = x.laidOut(layout).padded(low: low, high: high, value: 1)
                #expect(padded.dtype == dtype && padded.error(from: expected.values) == 0)
            }
        }
        #expect(Tensor(3).padded(low: [], high: []).scalar == 3)
        #expect(Tensor(zeros: [0, 2]).padded(low: [1, 0], high: [0, 0], value: 4).floats == [4, 4])
    }

    /// Matrices whose columns lie contiguous, smaller and larger than the pieces in which they are turned, whole and cut
    /// out of a larger one.
    @Test(arguments: DType.allCases) func turning(dtype: DType) {
        for (rows, columns) in [(1, 1), (3, 17), (64, 8), (67, 35), (1500, 130)] {
            let x = (Tensor.sample([columns + 2, rows + 3], seed: 1) * 50).converted(to: dtype)
            let cut = x.sliced(axis: 0, 1..<columns + 1).sliced(axis: 1, 2..<rows + 2)
            let (from, found) = (Reference(cut), cut.transposed().copied())
            let expected = Reference([rows, columns]) { from[$0[1], $0[0]] }
            #expect(found.isContiguous && found.error(from: expected.values) == 0)
            let target = Tensor(zeros: [rows, columns + 1], dtype: dtype)
            target.sliced(axis: 1, 0..<columns).assign(cut.transposed())
            #expect(target.sliced(axis: 1, 0..<columns).copied().isIdentical(to: found))
            #expect(target.sliced(axis: 1, columns..<columns + 1).floats.allSatisfy { $0 == 0 })
        }
    }

    @Test func assigning() {
        for layout in Layout.allCases {
            let target = Tensor(zeros: [3, 4]).copied().laidOut(layout)
            let source = Tensor.sample([4], seed: 1)
            target.assign(source.laidOut(layout))
            #expect(target.floats == source.floats + source.floats + source.floats)
            target.assign(Tensor(full: [], 2, dtype: .int32))
            #expect(target.floats == [Float](repeating: 2, count: 12))
        }
        let block = Tensor(zeros: [4, 4], dtype: .bfloat16)
        block.sliced(axis: 1, 1..<3).assign(Tensor(full: [4, 2], 1.00390625))
        #expect(block.floats.reduce(0, +) == 8)
    }

    @Test func gatheringAndScattering() {
        let table = Tensor.sample([5, 3], seed: 1)
        let indices = Tensor([4, 0, 4, 1, 4, 0] as [Int32], [2, 3])
        let (rows, places) = (Reference(table), Reference(indices))
        for layout in Layout.allCases {
            for dtype in [DType.float32, .bfloat16, .int64, .uint8] {
                let found = table.converted(to: dtype).laidOut(layout).gatheringRows(indices.laidOut(layout))
                let expected = Reference([2, 3, 3]) { rows[Int(places[$0[0], $0[1]]), $0[2]] }
                #expect(found.dtype == dtype && found.shape == [2, 3, 3])
                if dtype == .float32 { #expect(found.error(from: expected.values) == 0) }
            }
            let updates = Tensor.sample([2, 3, 3], seed: 2)
            let sums = Reference([5, 3]) { index in
                places.shape.allIndices.reduce(0) {
                    $0 + (Int(places[$1]) == index[0] ? Reference(updates)[$1 + [index[1]]] : 0)
                }
            }
            let scattered = updates.laidOut(layout).scatteredRows(indices.laidOut(layout), rows: 5)
            #expect(scattered.dtype == .float32 && scattered.error(from: sums.values) <= 1e-6)
        }
        #expect(table.gatheringRows(Tensor([] as [Int32], [0, 2])).shape == [0, 2, 3])
    }

    @Test func rowsOutsideTheTableAreRefused() async {
        for index in [Int32(-1), 2] {
            await #expect(processExitsWith: .failure) { [index = index as Int32] in
                _ = Tensor(zeros: [2, 3]).gatheringRows(Tensor([index], [1]))
            }
        }
    }
}
