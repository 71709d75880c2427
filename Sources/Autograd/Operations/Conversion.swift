public import TensorCore

/// Conversions, joins and padding.
extension Variable {
    /// The value in another floating-point type; gradients return in the original type.
    public func converted(to dtype: DType) -> Variable {
        if dtype == self.dtype { return self }
        let original = self.dtype
        // A gradient in `float32` stays so on its way to a `float32` parameter that was used in another type.
        return .recording(value.converted(to: dtype), [self], acceptsAnyType: true) { [$0.converted(to: original)] }
    }

    /// The same elements without gaps; the view's gradient is unchanged.
    public func contiguous() -> Variable {
        value.isContiguous ? self : .recording(value.contiguous(), [self]) { [$0] }
    }

    /// Joins along `axis`.
    public static func concatenated(_ parts: [Variable], axis: Int) -> Variable {
        let axis = parts[0].shape.normalized(axis: axis)
        let extents = parts.map { $0.shape[axis] }
        let needs = parts.map(\.requiresGradient)
        return .recording(Tensor.concatenated(parts.map(\.value), axis: axis), parts) { dy in
            var start = 0
            return zip(extents, needs).map { extent, isNeeded in
                defer { start += extent }
                return isNeeded ? dy.sliced(axis: axis, start..<start + extent) : nil
            }
        }
    }

    /// Surrounds with zeros: `low[i]` before and `high[i]` after axis `i`.
    public func padded(low: [Int], high: [Int]) -> Variable {
        let shape = self.shape
        return .recording(value.padded(low: low, high: high), [self]) { dy in
            var inner = dy
            for axis in 0..<shape.rank { inner = inner.sliced(axis: axis, low[axis]..<low[axis] + shape[axis]) }
            return [inner]
        }
    }
}
