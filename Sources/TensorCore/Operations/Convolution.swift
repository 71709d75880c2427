/// Image operations on `[N, C, H, W]`.
extension Tensor {
    /// Cross-correlation with `weight` `[O, C, kh, kw]` plus `bias` `[O]`; `stages` normalises or up-samples this image
    /// first and adds to the result last.
    public func convolution(
        weight: Tensor, bias: Tensor? = nil, options: ConvolutionOptions = .init(), stages: ConvolutionStages = .init()
    ) -> Tensor {
        precondition(
            rank == 4 && weight.rank == 4 && shape[1] == weight.shape[1],
            "convolution of \(shape) with \(weight.shape)")
        precondition(bias == nil || bias!.shape == [weight.shape[0]], "bias for \(weight.shape[0]) channels")
        if let norm = stages.norm {
            precondition(
                norm.weight.shape == [shape[1]] && norm.bias.shape == [shape[1]] && shape[1] % norm.groups == 0,
                "norm of \(shape) in \(norm.groups) groups with \(norm.weight.shape), \(norm.bias.shape)")
        }
        precondition(stages.upsampling > 0, "up-sampling \(shape) by \(stages.upsampling)")
        if let residual = stages.residual {
            let expected = options.outputShape(input: shape, weight: weight.shape, stages: stages)
            precondition(
                residual.shape == expected && residual.dtype == dtype,
                "adding \(residual.dtype) \(residual.shape) to a convolution's \(dtype) \(expected)")
        }
        return Device.backend.convolution(self, weight: weight, bias: bias, options: options, stages: stages)
    }

    /// Each pixel repeated `factor` times along both axes.
    public func upsampledNearest(_ factor: Int) -> Tensor {
        precondition(rank == 4 && factor > 0, "up-sampling \(shape) by \(factor)")
        return Device.backend.upsampleNearest(self, factor: factor)
    }
}
