/// Copies and conversions, always spelled out.
extension Tensor {
    /// This tensor if its elements already lie row-major without gaps, otherwise a copy that does.
    public func contiguous() -> Tensor {
        isContiguous ? self : copied()
    }

    /// A fresh contiguous copy.
    public func copied() -> Tensor { Device.backend.copy(self, as: dtype) }

    /// This tensor if it already has type `dtype`, otherwise a contiguous converted copy; see
    /// ``Backend/copy(_:as:)`` for the rounding.
    public func converted(to dtype: DType) -> Tensor {
        dtype == self.dtype ? self : Device.backend.copy(self, as: dtype)
    }

    /// Writes `source`, broadcast and converted, into the elements of this tensor.
    public func assign(_ source: Tensor) {
        precondition(storage.isMutable, "writing into read-only storage")
        Device.backend.assign(source.expanded(to: shape), to: self)
    }

    /// Joins tensors of equal type along `axis`; all other extents must agree.
    public static func concatenated(_ parts: [Tensor], axis: Int) -> Tensor {
        precondition(!parts.isEmpty, "concatenating nothing")
        let axis = parts[0].shape.normalized(axis: axis)
        for part in parts {
            precondition(part.dtype == parts[0].dtype, "concatenating \(part.dtype) to \(parts[0].dtype)")
            var shape = part.shape
            shape[axis] = parts[0].shape[axis]
            precondition(shape == parts[0].shape, "concatenating \(part.shape) to \(parts[0].shape) along axis \(axis)")
        }
        return Device.backend.concatenate(parts, axis: axis)
    }

    /// Surrounds with `value`: `low[i]` elements before and `high[i]` after axis `i`.
    public func padded(low: [Int], high: [Int], value: Float = 0) -> Tensor {
        precondition(low.count == rank && high.count == rank, "padding of \(low.count) axes for shape \(shape)")
        return Device.backend.pad(self, low: low, high: high, value: value)
    }
}
