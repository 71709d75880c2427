/// Image operations on `[N, C, H, W]`.
extension Tensor {
    /// Cross-correlation with `weight` `[O, C, kh, kw]` plus `bias` `[O]`.
    public func convolution(weight: Tensor, bias: Tensor? = nil, options: ConvolutionOptions = .init()) -> Tensor {
        precondition(
            rank == 4 && weight.rank == 4 && shape[1] == weight.shape[1],
            "convolution of \(shape) with \(weight.shape)")
        precondition(bias == nil || bias!.shape == [weight.shape[0]], "bias for \(weight.shape[0]) channels")
        return Device.backend.convolution(self, weight: weight, bias: bias, options: options)
    }

    /// Each pixel repeated `factor` times along both axes.
    public func upsampledNearest(_ factor: Int) -> Tensor {
        precondition(rank == 4 && factor > 0, "up-sampling \(shape) by \(factor)")
        return Device.backend.upsampleNearest(self, factor: factor)
    }
}
