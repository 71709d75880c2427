extension Backend {
    /// The default: `exp(x - max x)` over its sum.
    public func softmax(_ x: Tensor) -> Tensor { composed(x).softmax().weights.result(as: x.dtype) }

    /// The default: `y (dy - sum(y dy))`.
    public func softmaxGradient(output: Tensor, gradient: Tensor) -> Tensor {
        let (y, dy) = (composed(output), composed(gradient))
        return (y * (dy - (y * dy).sum(-1))).result(as: output.dtype)
    }

    /// The default: mean, variance, then the scaled difference.
    public func layerNorm(_ x: Tensor, weight: Tensor?, bias: Tensor?, epsilon: Float) -> Tensor {
        let normalized = composed(x).normalized(epsilon, isCentred: true).values
        let scaled = weight.map { normalized * composed($0) } ?? normalized
        return (bias.map { scaled + composed($0) } ?? scaled).result(as: x.dtype)
    }

    /// The default: see ``NormalizedRows``.
    public func layerNormGradient(
        _ x: Tensor, weight: Tensor?, epsilon: Float, gradient: Tensor, needsInput: Bool, needsParameters: Bool
    ) -> NormGradients {
        normGradient(
            x, weight: weight, epsilon: epsilon, gradient: gradient, isCentred: true, needsInput: needsInput,
            needsParameters: needsParameters)
    }

    /// The default: the mean square, then the scaled row.
    public func rmsNorm(_ x: Tensor, weight: Tensor?, epsilon: Float) -> Tensor {
        let normalized = composed(x).normalized(epsilon, isCentred: false).values
        return (weight.map { normalized * composed($0) } ?? normalized).result(as: x.dtype)
    }

    /// The default: that of layer norm without the mean.
    public func rmsNormGradient(
        _ x: Tensor, weight: Tensor?, epsilon: Float, gradient: Tensor, needsInput: Bool, needsParameters: Bool
    ) -> NormGradients {
        normGradient(
            x, weight: weight, epsilon: epsilon, gradient: gradient, isCentred: false, needsInput: needsInput,
            needsParameters: needsParameters)
    }

    private func normGradient(
        _ x: Tensor, weight: Tensor?, epsilon: Float, gradient: Tensor, isCentred: Bool, needsInput: Bool,
        needsParameters: Bool
    ) -> NormGradients {
        let norm = composed(x).normalized(epsilon, isCentred: isCentred)
        let dy = composed(gradient)
        var result = NormGradients()
        if needsInput {
            let scaled = weight.map { dy * composed($0) } ?? dy
            result.input = norm.inputGradient(scaled).result(as: x.dtype)
        }
        if needsParameters {
            result.weight = (dy * norm.values).rows.sum(0).reshaped([x.shape[-1]]).result()
            result.bias = isCentred ? dy.rows.sum(0).reshaped([x.shape[-1]]).result() : nil
        }
        return result
    }
}

/// Rows of the last axis, normalised: `(x - mean) / sqrt(mean square + epsilon)`, the mean 0 for an RMS norm.
struct NormalizedRows {
    let values: Composed
    /// `1 / sqrt(mean square + epsilon)` of each row, whose last axis has extent 1.
    let reciprocal: Composed
    let isCentred: Bool

    /// The gradient of the rows before they were normalised, from that of `values`.
    func inputGradient(_ gradient: Composed) -> Composed {
        let along = values * (gradient * values).mean(-1)
        let rest = gradient - along
        return (isCentred ? rest - gradient.mean(-1) : rest) * reciprocal
    }
}

extension Composed {
    /// The rows of the last axis, normalised.
    func normalized(_ epsilon: Float, isCentred: Bool) -> NormalizedRows {
        let distance = isCentred ? self - mean(-1) : self
        let reciprocal = (distance.applying(.square).mean(-1) + epsilon).reciprocalRoot
        return NormalizedRows(values: distance * reciprocal, reciprocal: reciprocal, isCentred: isCentred)
    }

    /// Softmax over the last axis, and the logarithm of each row's denominator, its last axis of extent 1: zeros and minus
    /// infinity for a row of minus infinities, or of nothing.
    func softmax() -> (weights: Composed, logSumExp: Composed) {
        let largest = maximum(-1)
        let isNothing = largest.isEqual(to: -.infinity)
        let shift = largest.replaced(where: isNothing, by: 0)
        let exponentials = (self - shift).applying(.exponential)
        let sum = exponentials.sum(-1)
        let divisor = sum.replaced(where: isNothing, by: 1)
        return (exponentials / divisor, largest + divisor.applying(.logarithm))
    }
}
