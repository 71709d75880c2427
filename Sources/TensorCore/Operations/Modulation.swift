/// Adaptive layer norm and its gate (Peebles and Xie 2023), one vector a sample for all tokens of `[B, S, D]`.
extension Tensor {
    /// `layerNorm(self) (1 + scale) + shift`: `scale` and `shift` are `[B, 1, D]`, all of one type.
    public func modulatedNorm(scale: Tensor, shift: Tensor, epsilon: Float) -> Tensor {
        checkModulation(scale)
        checkModulation(shift)
        return Device.backend.modulatedNorm(self, scale: scale, shift: shift, epsilon: epsilon)
    }

    /// `self + gate other`: `other` has this shape, `gate` is `[B, 1, D]`, all of one type.
    public func addingGated(_ other: Tensor, gate: Tensor) -> Tensor {
        checkModulation(gate)
        precondition(other.shape == shape && other.dtype == dtype, "gating \(other.shape) \(other.dtype) onto \(shape)")
        return Device.backend.gatedSum(self, other, gate: gate)
    }

    private func checkModulation(_ vector: Tensor) {
        precondition(
            rank == 3 && vector.shape == [shape[0], 1, shape[2]] && vector.dtype == dtype && dtype.isFloatingPoint,
            "modulating \(dtype) \(shape) by \(vector.dtype) \(vector.shape)")
    }
}
