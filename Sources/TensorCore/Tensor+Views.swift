/// Views: the same elements under another shape, never a copy.
extension Tensor {
    /// The same elements in row-major order under another shape; one extent may be -1. Strided views must be made
    /// ``contiguous()`` first unless the new shape only splits or merges axes that lie together.
    public func reshaped(to dimensions: [Int]) -> Tensor {
        var dimensions = dimensions
        if let free = dimensions.firstIndex(of: -1) {
            let rest = dimensions.enumerated().reduce(1) { $1.offset == free ? $0 : $0 * $1.element }
            precondition(rest > 0 && count % rest == 0, "cannot view \(shape) as \(dimensions)")
            dimensions[free] = count / rest
        }
        let target = Shape(dimensions)
        precondition(target.count == count, "cannot view \(shape) as \(target)")
        if isContiguous { return Tensor(storage: storage, dtype: dtype, shape: target, offset: offset) }
        guard let strides = stridesWhenViewed(as: target) else {
            preconditionFailure("reshaping a strided view of \(shape) to \(target) needs contiguous() first")
        }
        return Tensor(storage: storage, dtype: dtype, shape: target, strides: strides, offset: offset)
    }

    /// Strides for `target` over the same memory, or nil when merged axes do not lie together.
    private func stridesWhenViewed(as target: Shape) -> [Int]? {
        var result = [Int](repeating: 0, count: target.rank)
        var old = [(extent: Int, stride: Int)]()
        for (extent, step) in zip(shape.dimensions, strides) where extent != 1 { old.append((extent, step)) }
        var i = 0
        var j = 0
        while i < old.count {
            var group = old[i].extent
            var last = i
            var wanted = 1
            let first = j
            while true {
                while j < target.rank && wanted < group {
                    wanted *= target.dimensions[j]
                    j += 1
                }
                if wanted == group { break }
                last += 1
                guard last < old.count else { return nil }
                guard old[last - 1].stride == old[last].stride * old[last].extent else { return nil }
                group *= old[last].extent
            }
            var step = old[last].stride
            for axis in stride(from: j - 1, through: first, by: -1) {
                result[axis] = step
                step *= target.dimensions[axis]
            }
            i = last + 1
        }
        return result
    }

    /// Two axes exchanged; negative axes count from the end.
    public func transposed(_ a: Int = -2, _ b: Int = -1) -> Tensor {
        var order = Array(0..<rank)
        order.swapAt(shape.normalized(axis: a), shape.normalized(axis: b))
        return permuted(order)
    }

    /// Axis `i` of the result is axis `order[i]` of this tensor.
    public func permuted(_ order: [Int]) -> Tensor {
        precondition(order.sorted() == Array(0..<rank), "\(order) is no permutation of \(rank) axes")
        return Tensor(
            storage: storage, dtype: dtype, shape: Shape(order.map { shape.dimensions[$0] }),
            strides: order.map { strides[$0] }, offset: offset)
    }

    /// The part of one axis that lies in `range`.
    public func sliced(axis: Int, _ range: Range<Int>) -> Tensor {
        let axis = shape.normalized(axis: axis)
        precondition(
            range.lowerBound >= 0 && range.upperBound <= shape.dimensions[axis],
            "slice \(range) of axis \(axis) of \(shape)")
        var result = shape
        result[axis] = range.count
        return Tensor(
            storage: storage, dtype: dtype, shape: result, strides: strides,
            offset: offset + range.lowerBound * strides[axis])
    }

    /// Equal parts along one axis, each a view.
    public func split(into parts: Int, axis: Int) -> [Tensor] {
        let extent = shape[axis]
        precondition(extent % parts == 0, "axis \(axis) of \(shape) does not split into \(parts)")
        let size = extent / parts
        return (0..<parts).map { sliced(axis: axis, $0 * size..<($0 + 1) * size) }
    }

    /// Broadcasts to `target`: extents of 1 (or missing leading axes) repeat without copying.
    public func expanded(to target: Shape) -> Tensor {
        if shape == target { return self }
        precondition(Shape.broadcast(shape, target) == target, "cannot broadcast \(shape) to \(target)")
        let lead = target.rank - rank
        let steps = (0..<target.rank).map { axis -> Int in
            guard axis >= lead, shape.dimensions[axis - lead] == target.dimensions[axis] else { return 0 }
            return strides[axis - lead]
        }
        return Tensor(storage: storage, dtype: dtype, shape: target, strides: steps, offset: offset)
    }

    /// A new axis of extent 1 at `axis` (of the result; negative counts from its end).
    public func unsqueezed(_ axis: Int) -> Tensor {
        let axis = axis < 0 ? axis + rank + 1 : axis
        var dimensions = shape.dimensions
        var steps = strides
        dimensions.insert(1, at: axis)
        steps.insert(axis < rank ? strides[axis] * shape.dimensions[axis] : 1, at: axis)
        return Tensor(storage: storage, dtype: dtype, shape: Shape(dimensions), strides: steps, offset: offset)
    }

    /// Without the axis `axis`, whose extent must be 1.
    public func squeezed(_ axis: Int) -> Tensor {
        let axis = shape.normalized(axis: axis)
        precondition(shape.dimensions[axis] == 1, "squeezing axis \(axis) of \(shape)")
        var dimensions = shape.dimensions
        var steps = strides
        dimensions.remove(at: axis)
        steps.remove(at: axis)
        return Tensor(storage: storage, dtype: dtype, shape: Shape(dimensions), strides: steps, offset: offset)
    }
}
