import TensorCore

/// Adaptive layer norm and its gate on `[B, S, D]`.
extension Variable {
    /// `layerNorm(self) (1 + scale) + shift` with `scale` and `shift` `[B, 1, D]`; one pass over the tokens each way.
    public func modulatedNorm(scale: Variable, shift: Variable, epsilon: Float) -> Variable {
        let (x, factor) = (value, scale.value)
        let needsInput = requiresGradient
        let needsModulation = scale.requiresGradient || shift.requiresGradient
        let y = x.modulatedNorm(scale: factor, shift: shift.value, epsilon: epsilon)
        return .recording(y, [self, scale, shift]) { dy in
            let g = Device.backend.modulatedNormGradient(
                x, scale: factor, epsilon: epsilon, gradient: dy, needsInput: needsInput,
                needsModulation: needsModulation)
            return [g.input, g.scale, g.shift]
        }
    }

    /// `self + gate other` with `gate` `[B, 1, D]`.
    public func addingGated(_ other: Variable, gate: Variable) -> Variable {
        let factor = other.requiresGradient ? gate.value : nil
        let saved = gate.requiresGradient ? other.deferred : nil
        let shape = gate.shape
        let (x, y, g) = (deferred, other.deferred, gate.value)
        let sum = DeferredTensor(shape: self.shape, dtype: dtype) { x.value.addingGated(y.value, gate: g) }
        return .recording(
            sum, [self, other, gate],
            products: { dy in
                [
                    Gradient(dy), factor.map { Gradient(dy * $0) },
                    saved.map { Gradient(Device.backend.gateGradient($0.value, gradient: dy, shape: shape)) },
                ]
            })
    }
}
