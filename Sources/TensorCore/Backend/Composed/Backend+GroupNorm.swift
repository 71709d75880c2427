extension Backend {
    /// The default: the mean of each row, then its squared differences.
    public func rowMoments(_ x: Tensor) -> Tensor {
        let rows = composed(x)
        let mean = rows.mean(3)
        return concatenate([mean.value, (rows - mean).applying(.square).sum(3).value], axis: 3)
    }

    /// The default. Chan, Golub and LeVeque 1983, "Algorithms for computing the sample variance".
    public func groupMoments(_ rows: Tensor, groups: Int, width: Int, epsilon: Float) -> Tensor {
        let members = rows.shape[1] / groups * rows.shape[2]
        let moments = composed(rows).reshaped([rows.shape[0], groups, members, 2])
        let (means, squares) = (moments.sliced(3, 0..<1), moments.sliced(3, 1..<2))
        let mean = means.mean(2)
        let sum = squares.sum(2) + (means - mean).applying(.square).sum(2) * Float(width)
        let reciprocal = (sum / sum.number(Float(members * width)) + epsilon).reciprocalRoot
        return concatenate([mean.value, reciprocal.value], axis: 3)
            .reshaped(to: [rows.shape[0], groups, 2])
    }

    /// The default: all elements of a group as one row.
    public func groupNorm(_ x: Tensor, groups: Int, weight: Tensor, bias: Tensor, epsilon: Float) -> Tensor {
        groupNorm(x, .init(groups: groups, weight: weight, bias: bias, epsilon: epsilon)).result(as: x.dtype)
    }

    /// Group norm by the moments that are given, or by those of `x`: `[N, C, H, W]`.
    func groupNorm(_ x: Tensor, _ norm: ConvolutionStages.Norm) -> Composed {
        let rows = groupRows(x, norm.groups)
        let normalized: Composed
        if let moments = norm.moments {
            let known = composed(moments)
            normalized = (rows - known.sliced(2, 0..<1)) * known.sliced(2, 1..<2)
        } else {
            normalized = rows.normalized(norm.epsilon, isCentred: true).values
        }
        return normalized.reshaped(x.shape.dimensions) * channelVector(norm.weight) + channelVector(norm.bias)
    }

    /// The default: that of a layer norm of each group.
    public func groupNormGradient(
        _ x: Tensor, groups: Int, weight: Tensor, epsilon: Float, gradient: Tensor, needsInput: Bool,
        needsParameters: Bool
    ) -> NormGradients {
        let norm = groupRows(x, groups).normalized(epsilon, isCentred: true)
        let (dy, channels, image) = (composed(gradient), [x.shape[1]], x.shape.dimensions)
        var result = NormGradients()
        if needsInput {
            let scaled = (dy * channelVector(weight)).reshaped(norm.values.shape.dimensions)
            result.input = norm.inputGradient(scaled).reshaped(image).result(as: x.dtype)
        }
        if needsParameters {
            result.weight = (dy * norm.values.reshaped(image)).sum(0, 2, 3).reshaped(channels).result()
            result.bias = dy.sum(0, 2, 3).reshaped(channels).result()
        }
        return result
    }

    /// `[N, C, H, W]` as `[N, groups, C / groups H W]`.
    private func groupRows(_ x: Tensor, _ groups: Int) -> Composed {
        composed(x).reshaped([x.shape[0], groups, x.shape[1] / groups * x.shape[2] * x.shape[3]])
    }

    /// `[C]` as `[C, 1, 1]`, which broadcasts over images.
    private func channelVector(_ x: Tensor) -> Composed { composed(x).reshaped([x.shape[0], 1, 1]) }
}
