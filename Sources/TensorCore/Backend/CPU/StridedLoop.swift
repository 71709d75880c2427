/// Walks several views of one shape together, row by row, after merging the axes that lie together in all of them.
struct StridedLoop {
    /// The extents left after merging, outermost first; never empty.
    private(set) var extents: [Int]
    /// For each view, its strides along those extents.
    private(set) var strides: [[Int]]

    init(_ shape: Shape, _ views: [[Int]]) {
        extents = []
        strides = views.map { _ in [] }
        for (axis, extent) in shape.dimensions.enumerated() where extent != 1 {
            let merges =
                !extents.isEmpty
                && views.indices.allSatisfy { strides[$0][extents.count - 1] == views[$0][axis] * extent }
            if merges {
                extents[extents.count - 1] *= extent
                for view in views.indices { strides[view][extents.count - 1] = views[view][axis] }
            } else {
                extents.append(extent)
                for view in views.indices { strides[view].append(views[view][axis]) }
            }
        }
        if extents.isEmpty {
            extents = [1]
            for view in views.indices { strides[view] = [1] }
        }
    }

    /// The length of the innermost rows.
    var rowLength: Int { extents[extents.count - 1] }

    /// The number of rows.
    var rowCount: Int { extents.dropLast().reduce(1, *) }

    /// The stride of a view along its rows.
    func step(_ view: Int) -> Int { strides[view][extents.count - 1] }

    /// Calls `body` with the number of each row in `rows` and the offset of its first element in each view.
    @inline(__always)
    func forEachRow(in rows: Range<Int>, _ body: (Int, UnsafePointer<Int>) -> Void) {
        let outer = extents.count - 1
        let views = strides.count
        if rows.isEmpty || rowLength == 0 { return }
        var index = [Int](repeating: 0, count: outer)
        var offsets = [Int](repeating: 0, count: views)
        var rest = rows.lowerBound
        for axis in stride(from: outer - 1, through: 0, by: -1) {
            index[axis] = rest % extents[axis]
            rest /= extents[axis]
            for view in 0..<views { offsets[view] += index[axis] * strides[view][axis] }
        }
        for row in rows {
            offsets.withUnsafeBufferPointer { body(row, $0.baseAddress!) }
            var axis = outer - 1
            while axis >= 0 {
                index[axis] += 1
                for view in 0..<views { offsets[view] += strides[view][axis] }
                if index[axis] < extents[axis] { break }
                for view in 0..<views { offsets[view] -= extents[axis] * strides[view][axis] }
                index[axis] = 0
                axis -= 1
            }
        }
    }
}
