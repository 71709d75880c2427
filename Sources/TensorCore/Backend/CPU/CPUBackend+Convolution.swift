import CKernels

extension CPUBackend {
    /// See ``Backend/convolution(_:weight:bias:options:stages:)``. By implicit GEMM: the im2col matrix is packed for the
    /// matrix kernels block by block; `bfloat16` images and weights are multiplied as such where the processor can.
    public func convolution(
        _ x: Tensor, weight: Tensor, bias: Tensor?, options: ConvolutionOptions, stages: ConvolutionStages
    ) -> Tensor {
        guard engine == .kernels else {
            return convolutionInSteps(x, weight: weight, bias: bias, options: options, stages: stages)
        }
        let shape = options.outputShape(input: x.shape, weight: weight.shape, stages: stages)
        let result = Tensor(uninitialized: shape, dtype: ImplicitGEMM.resultType(x.dtype))
        let residual = stages.residual.map { float32Unless($0, result.dtype) }
        let window = stages.window ?? .init(rows: 0..<shape[2], firstRow: 0)
        if stages.upsampling == 2 && options == Self.same && weight.shape[2] == 3 && weight.shape[3] == 3 {
            convolveUpsampled(x, weight, bias, stages, window, residual, into: result)
        } else {
            ImplicitGEMM(
                self, x, weight: weight, stride: options.stride,
                top: options.paddingLow + window.firstRow * stages.upsampling - window.rows.lowerBound * options.stride,
                left: options.paddingLow, upsampling: stages.upsampling, norm: stages.norm,
                keeping: kept(stages, weight, phase: 0)
            ).run(bias: bias, residual: residual, into: result)
        }
        return result.dtype == x.dtype ? result : rounded(result, to: x.dtype)
    }

    private static let same = ConvolutionOptions(padding: 1)

    /// Where a frozen weight, or what `phase` tells was made of it, is kept as oneDNN reads it.
    private func kept(_ stages: ConvolutionStages, _ weight: Tensor, phase: Int) -> ImplicitGEMM.Keeping? {
        stages.weightCache.map { .init(packed: $0.content { PackedWeight() }, source: weight, phase: phase) }
    }

    /// `x` without gaps, in `float32` unless it has the type `dtype`.
    private func float32Unless(_ x: Tensor, _ dtype: DType) -> Tensor {
        x.dtype == dtype && x.isContiguous ? x : copy(x, as: dtype)
    }

    /// A 3 x 3 window over an image of repeated pixels sees 2 x 2 of them: each quarter of the result, pixels that are 2
    /// apart, is a convolution of the image itself by sums of weights, with four ninths of the multiplications.
    private func convolveUpsampled(
        _ x: Tensor, _ weight: Tensor, _ bias: Tensor?, _ stages: ConvolutionStages,
        _ window: ConvolutionStages.Window, _ residual: Tensor?, into result: Tensor
    ) {
        let wide = float32(weight)
        var norm = stages.norm
        if let known = norm, known.moments == nil {
            norm!.moments = groupMoments(
                rowMoments(x), groups: known.groups, width: x.shape[3], epsilon: known.epsilon)
        }
        for phase in 0..<4 {
            let (below, behind) = (phase / 2, phase % 2)
            // Rows of this phase inside the window, counted in pixels of the image.
            let first = (window.rows.lowerBound - below + 1) >> 1
            let start = 2 * first + below - window.rows.lowerBound
            let sums = summed(summed(wide, axis: 2, below), axis: 3, behind)
            // Rounded again only where the image is no finer; otherwise the sums keep all their digits.
            let kernel = x.dtype == .bfloat16 ? rounded(sums, to: weight.dtype) : sums
            ImplicitGEMM(
                self, x, weight: kernel, stride: 1, top: 1 - below + window.firstRow - first, left: 1 - behind,
                norm: norm, keeping: kept(stages, weight, phase: phase)
            ).run(
                bias: bias, residual: residual.map { Self.everySecond($0, start, behind) },
                into: Self.everySecond(result, start, behind))
        }
    }

    /// Taps along `axis` that fall on the same pixel, added: the first alone or the last alone.
    private func summed(_ weight: Tensor, axis: Int, _ phase: Int) -> Tensor {
        let taps = (0..<3).map { weight.sliced(axis: axis, $0..<$0 + 1) }
        return concatenate(
            phase == 0
                ? [taps[0], binary(.add, taps[1], taps[2])] : [binary(.add, taps[0], taps[1]), taps[2]], axis: axis)
    }

    /// Rows from `row` and columns from `column`, every second.
    private static func everySecond(_ x: Tensor, _ row: Int, _ column: Int) -> Tensor {
        let (height, width) = (max(0, x.shape[2] - row + 1) / 2, (x.shape[3] - column + 1) / 2)
        return Tensor(
            storage: x.storage, dtype: x.dtype, shape: [x.shape[0], x.shape[1], height, width],
            strides: [x.strides[0], x.strides[1], 2 * x.strides[2], 2 * x.strides[3]],
            offset: x.offset + row * x.strides[2] + column * x.strides[3])
    }

    /// The stages one after another, a tensor after each.
    private func convolutionInSteps(
        _ x: Tensor, weight: Tensor, bias: Tensor?, options: ConvolutionOptions, stages: ConvolutionStages
    ) -> Tensor {
        var image = stages.norm.map { unary(.silu, groupNorm(x, $0)) } ?? x
        if stages.upsampling > 1 { image = upsampleNearest(image, factor: stages.upsampling) }
        var options = options
        if let window = stages.window {
            // The rows that the window sees, with all margins spelled out.
            let (given, first) = (image.shape[2], window.firstRow * stages.upsampling)
            let from = window.rows.lowerBound * options.stride - options.paddingLow - first
            let to = from + (window.rows.count - 1) * options.stride + weight.shape[2]
            let inside = max(0, min(from, given))..<max(0, min(to, given))
            image = pad(
                image.sliced(axis: 2, inside), low: [0, 0, inside.lowerBound - from, options.paddingLow],
                high: [0, 0, to - inside.upperBound, options.paddingHigh], value: 0)
            options = ConvolutionOptions(stride: options.stride)
        }
        let result = im2colConvolution(image, weight: weight, bias: bias, options: options)
        return stages.residual.map { binary(.add, result, $0) } ?? result
    }

    /// See ``Backend/convolutionInputGradient(_:weight:inputShape:options:)``. The windows of the gradient, spread by the
    /// stride, meet the flipped weight: a convolution again.
    public func convolutionInputGradient(
        _ gradient: Tensor, weight: Tensor, inputShape: Shape, options: ConvolutionOptions
    ) -> Tensor {
        guard engine == .kernels else {
            return im2colInputGradient(gradient, weight: weight, inputShape: inputShape, options: options)
        }
        let flippedWeight = flipped(weight.transposed(0, 1))
        let result = Tensor(uninitialized: inputShape, dtype: ImplicitGEMM.resultType(gradient.dtype))
        ImplicitGEMM(
            self, gradient, weight: flippedWeight, stride: 1, top: weight.shape[2] - 1 - options.paddingLow,
            left: weight.shape[3] - 1 - options.paddingLow, spread: options.stride
        ).run(bias: nil, into: result)
        return result.dtype == gradient.dtype ? result : rounded(result, to: gradient.dtype)
    }

    /// See ``Backend/convolutionWeightGradient(_:gradient:weightShape:options:)``.
    public func convolutionWeightGradient(
        _ x: Tensor, gradient: Tensor, weightShape: Shape, options: ConvolutionOptions
    ) -> Tensor {
        guard engine == .kernels else {
            return im2colWeightGradient(x, gradient: gradient, weightShape: weightShape, options: options)
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
    /// A contiguous copy, flipped along the last two axes.
    private func flipped(_ weight: Tensor) -> Tensor {
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
