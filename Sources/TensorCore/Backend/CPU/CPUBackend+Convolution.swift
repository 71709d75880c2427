import CKernels

extension CPUBackend {
    /// See ``Backend/convolution(_:weight:bias:options:)``. Patches of a band of rows are packed for the matrix kernels as
    /// they are needed; `bfloat16` images and weights are multiplied as such where the processor can.
    public func convolution(_ x: Tensor, weight: Tensor, bias: Tensor?, options: ConvolutionOptions) -> Tensor {
        guard engine == .kernels else {
            return unrolledConvolution(x, weight: weight, bias: bias, options: options)
        }
        let extents = options.outputExtents(input: x.shape, weight: weight.shape)
        return PatchProduct(
            self, x, weight: weight, stride: options.stride, top: options.paddingLow, left: options.paddingLow
        ).run(height: extents.height, width: extents.width, bias: bias, as: x.dtype)
    }

    /// See ``Backend/convolutionInputGradient(_:weight:inputShape:options:)``. The windows of the gradient, spread by the
    /// stride, meet the weight turned around: a convolution again.
    public func convolutionInputGradient(
        _ gradient: Tensor, weight: Tensor, inputShape: Shape, options: ConvolutionOptions
    ) -> Tensor {
        guard engine == .kernels else {
            return unrolledInputGradient(gradient, weight: weight, inputShape: inputShape, options: options)
        }
        let turned = reversed(weight.transposed(0, 1))
        return PatchProduct(
            self, gradient, weight: turned, stride: 1, top: weight.shape[2] - 1 - options.paddingLow,
            left: weight.shape[3] - 1 - options.paddingLow, spread: options.stride
        ).run(height: inputShape[2], width: inputShape[3], bias: nil, as: gradient.dtype)
    }

    /// See ``Backend/convolutionWeightGradient(_:gradient:weightShape:options:)``.
    public func convolutionWeightGradient(
        _ x: Tensor, gradient: Tensor, weightShape: Shape, options: ConvolutionOptions
    ) -> Tensor {
        guard engine == .kernels else {
            return unrolledWeightGradient(x, gradient: gradient, weightShape: weightShape, options: options)
        }
        return WeightGradient(self, x, gradient, weightShape: weightShape, options: options).run()
    }

    /// See ``Backend/upsampleNearest(_:factor:)``.
    public func upsampleNearest(_ x: Tensor, factor: Int) -> Tensor {
        let (n, c, h, w) = (x.shape[0], x.shape[1], x.shape[2], x.shape[3])
        let repeated = x.contiguous().reshaped(to: [n, c, h, 1, w, 1]).expanded(to: [n, c, h, factor, w, factor])
        return copy(repeated, as: x.dtype).reshaped(to: [n, c, h * factor, w * factor])
    }

    /// See ``Backend/upsampleNearestGradient(_:factor:)``.
    public func upsampleNearestGradient(_ gradient: Tensor, factor: Int) -> Tensor {
        let (n, c, h, w) = (
            gradient.shape[0], gradient.shape[1], gradient.shape[2] / factor, gradient.shape[3] / factor
        )
        let squares = gradient.contiguous().reshaped(to: [n, c, h, factor, w, factor])
        return reduce(.sum, squares, axes: [3, 5]).reshaped(to: [n, c, h, w])
    }
}

extension CPUBackend {
    /// A contiguous copy with the last two axes turned around.
    private func reversed(_ weight: Tensor) -> Tensor {
        let result = Tensor(uninitialized: weight.shape, dtype: weight.dtype)
        for i in 0..<weight.shape[2] {
            for j in 0..<weight.shape[3] {
                let (y, x) = (weight.shape[2] - 1 - i, weight.shape[3] - 1 - j)
                assign(
                    weight.sliced(axis: 2, i..<i + 1).sliced(axis: 3, j..<j + 1),
                    to: result.sliced(axis: 2, y..<y + 1).sliced(axis: 3, x..<x + 1))
            }
        }
        return result
    }
}
