/// Walks several views of one shape together, row by row, after merging the axes that lie together in all of them.
struct StridedLoop {
    /// The extents left after merging, outermost first; never empty.
    private(set) var extents: [Int]
    /// For each of those extents, the strides of all views along it.
    private var strides: [Int]
    private let views: Int

    init(_ shape: Shape, _ viewStrides: [[Int]]) {
        views = viewStrides.count
        extents = []
        strides = []
        extents.reserveCapacity(max(shape.rank, 1))
        strides.reserveCapacity(max(shape.rank, 1) * views)
        for axis in 0..<shape.rank {
            let extent = shape.dimensions[axis]
            if extent == 1 { continue }
            let last = strides.count - views
            var merges = last >= 0
            if merges {
                for view in 0..<views where strides[last + view] != viewStrides[view][axis] * extent { merges = false }
            }
            if merges {
                extents[extents.count - 1] *= extent
                for view in 0..<views { strides[last + view] = viewStrides[view][axis] }
            } else {
                extents.append(extent)
                for view in 0..<views { strides.append(viewStrides[view][axis]) }
            }
        }
        if extents.isEmpty {
            extents.append(1)
            for _ in 0..<views { strides.append(1) }
        }
    }

    /// The length of the innermost rows.
    var rowLength: Int { extents[extents.count - 1] }

    /// The number of rows.
    var rowCount: Int {
        var count = 1
        for axis in 0..<extents.count - 1 { count *= extents[axis] }
        return count
    }

    /// The stride of a view along its rows.
    func step(_ view: Int) -> Int { strides[strides.count - views + view] }

    /// The stride of a view from one row to the next, when the rows lie along one axis.
    func rowStride(_ view: Int) -> Int? {
        switch extents.count {
        case 1: 0
        case 2: strides[view]
        default: nil
        }
    }

    /// Calls `body` with the number of each row in `rows` and the offset of its first element in each view.
    @inline(__always)
    func forEachRow(in rows: Range<Int>, _ body: (Int, UnsafePointer<Int>) -> Void) {
        let outer = extents.count - 1
        if rows.isEmpty || rowLength == 0 { return }
        withUnsafeTemporaryAllocation(of: Int.self, capacity: outer + views) { room in
            let index = room.baseAddress!
            let offsets = index + outer
            room.initialize(repeating: 0)
            var rest = rows.lowerBound
            for axis in stride(from: outer - 1, through: 0, by: -1) {
                index[axis] = rest % extents[axis]
                rest /= extents[axis]
                for view in 0..<views { offsets[view] += index[axis] * strides[axis * views + view] }
            }
            for row in rows {
                body(row, offsets)
                var axis = outer - 1
                while axis >= 0 {
                    index[axis] += 1
                    for view in 0..<views { offsets[view] += strides[axis * views + view] }
                    if index[axis] < extents[axis] { break }
                    for view in 0..<views { offsets[view] -= extents[axis] * strides[axis * views + view] }
                    index[axis] = 0
                    axis -= 1
                }
            }
        }
    }
}
