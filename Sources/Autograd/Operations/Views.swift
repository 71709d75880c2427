public import TensorCore

/// Views; their adjoints are views too, or a padded copy for slices.
extension Variable {
    /// The same elements under another shape, made contiguous first where they are not; one extent may be -1.
    public func reshaped(to dimensions: [Int]) -> Variable {
        let original = shape.dimensions
        return .recording(value.contiguous().reshaped(to: dimensions), [self]) {
            [$0.contiguous().reshaped(to: original)]
        }
    }

    /// Two axes exchanged.
    public func transposed(_ a: Int = -2, _ b: Int = -1) -> Variable {
        .recording(value.transposed(a, b), [self]) { [$0.transposed(a, b)] }
    }

    /// Axis `i` of the result is axis `order[i]` of this variable.
    public func permuted(_ order: [Int]) -> Variable {
        var inverse = order
        for (place, axis) in order.enumerated() { inverse[axis] = place }
        return .recording(value.permuted(order), [self]) { [$0.permuted(inverse)] }
    }

    /// The part of one axis that lies in `range`.
    public func sliced(axis: Int, _ range: Range<Int>) -> Variable {
        let shape = self.shape
        let axis = shape.normalized(axis: axis)
        if range == 0..<shape[axis] { return self }
        return .recording(value.sliced(axis: axis, range), [self]) { dy in
            var low = [Int](repeating: 0, count: shape.rank)
            var high = low
            low[axis] = range.lowerBound
            high[axis] = shape[axis] - range.upperBound
            return [dy.padded(low: low, high: high)]
        }
    }

    /// Equal parts along one axis; one operation, so that the parts' gradients are joined once.
    public func split(into parts: Int, axis: Int) -> [Variable] {
        let extent = shape[axis]
        precondition(extent % parts == 0, "axis \(axis) of \(shape) does not split into \(parts)")
        return split(extents: Array(repeating: extent / parts, count: parts), axis: axis)
    }

    /// Consecutive parts of the given extents along one axis; one operation, like ``split(into:axis:)``.
    public func split(extents: [Int], axis: Int) -> [Variable] {
        let axis = shape.normalized(axis: axis)
        precondition(extents.reduce(0, +) == shape[axis], "axis \(axis) of \(shape) does not split into \(extents)")
        var start = 0
        let values = extents.map { extent in
            defer { start += extent }
            return value.sliced(axis: axis, start..<start + extent)
        }
        let shapes = values.map(\.shape)
        let dtype = self.dtype
        // A split parameter's gradients stay `float32`.
        return Self.recording(values, [self], acceptsAnyType: true) { upstream in
            let types = Set(upstream.compactMap { $0?.dtype })
            let type = types.count == 1 ? types.first! : types.isEmpty ? dtype : .float32
            let gradients = zip(upstream, shapes).map { $0?.converted(to: type) ?? Tensor(zeros: $1, dtype: type) }
            return [Tensor.concatenated(gradients, axis: axis)]
        }
    }

    /// Broadcasts without copying.
    public func expanded(to target: Shape) -> Variable {
        let original = shape
        return .recording(value.expanded(to: target), [self]) { [$0.summed(to: original)] }
    }

    /// A new axis of extent 1.
    public func unsqueezed(_ axis: Int) -> Variable {
        let original = shape.dimensions
        return .recording(value.unsqueezed(axis), [self]) { [$0.contiguous().reshaped(to: original)] }
    }
}
