extension Backend {
    /// The default: a layer norm, then scale and shift.
    public func modulatedNorm(_ x: Tensor, scale: Tensor, shift: Tensor, epsilon: Float) -> Tensor {
        let normalized = composed(x).normalized(epsilon, isCentred: true).values
        return (normalized * (composed(scale) + 1) + composed(shift)).result(as: x.dtype)
    }

    /// The default: that of a layer norm, and sums over the tokens.
    public func modulatedNormGradient(
        _ x: Tensor, scale: Tensor, epsilon: Float, gradient: Tensor, needsInput: Bool, needsModulation: Bool
    ) -> (input: Tensor?, scale: Tensor?, shift: Tensor?) {
        let (norm, dy) = (composed(x).normalized(epsilon, isCentred: true), composed(gradient))
        let input = needsInput ? norm.inputGradient(dy * (composed(scale) + 1)).result(as: x.dtype) : nil
        guard needsModulation else { return (input, nil, nil) }
        return (input, (dy * norm.values).sum(1).result(as: scale.dtype), dy.sum(1).result(as: scale.dtype))
    }

    /// The default: a product, then a sum.
    public func gatedSum(_ x: Tensor, _ y: Tensor, gate: Tensor) -> Tensor {
        (composed(x) + composed(gate) * composed(y)).result(as: x.dtype)
    }

    /// The default: a product, then its sum over the tokens.
    public func gateGradient(_ y: Tensor, gradient: Tensor, shape: Shape) -> Tensor {
        (composed(y) * composed(gradient)).sum(1).reshaped(shape.dimensions).result(as: y.dtype)
    }
}
