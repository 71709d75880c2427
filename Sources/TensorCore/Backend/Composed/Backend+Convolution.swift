extension Backend {
    /// The default: norm and SiLU, repeated pixels, then a sum over the places of the window, each a matrix product of all
    /// channels.
    public func convolution(
        _ x: Tensor, weight: Tensor, bias: Tensor?, options: ConvolutionOptions, stages: ConvolutionStages
    ) -> Tensor {
        var image = stages.norm.map { groupNorm(x, $0).applying(.silu).value } ?? x
        if stages.upsampling > 1 { image = upsampleNearest(image, factor: stages.upsampling) }
        let seen = WindowedImage(image, kernel: weight.shape, options, stages, self)
        let (images, outputs, plane) = (x.shape[0], weight.shape[0], seen.height * seen.width)
        var sum = composed(Tensor(zeros: [images, outputs, plane]))
        let kernel = composed(weight)
        seen.forEachPlace { i, j in
            // `[1, O, C] x [N, C, plane]`.
            sum = sum + kernel.place(i, j).product(seen.pixels(i, j))
        }
        if let bias { sum = sum + composed(bias).reshaped([outputs, 1]) }
        let result = sum.reshaped([images, outputs, seen.height, seen.width])
        return (stages.residual.map { result + composed($0) } ?? result).result(as: x.dtype)
    }

    /// The default: for each place of the window, the products are added to the pixels that lay under it.
    public func convolutionInputGradient(
        _ gradient: Tensor, weight: Tensor, inputShape: Shape, options: ConvolutionOptions
    ) -> Tensor {
        let seen = WindowedImage(
            Tensor(zeros: inputShape), kernel: weight.shape, options, ConvolutionStages(), self)
        let (dy, kernel) = (seen.planes(gradient), composed(weight))
        seen.forEachPlace { i, j in
            // `[1, C, O] x [N, O, plane]`.
            let pixels = kernel.place(i, j).transposed.product(dy)
            let under = seen.view(i, j)
            accumulate(pixels.reshaped(under.shape.dimensions).value, scale: 1, into: under, targetScale: 1)
        }
        return copy(seen.withoutPadding(inputShape), as: gradient.dtype)
    }

    /// The default: for each place of the window, the product of the gradient with the pixels that lay under it.
    public func convolutionWeightGradient(
        _ x: Tensor, gradient: Tensor, weightShape: Shape, options: ConvolutionOptions
    ) -> Tensor {
        let seen = WindowedImage(x, kernel: weightShape, options, ConvolutionStages(), self)
        let dy = seen.planes(gradient)
        let result = Tensor(uninitialized: weightShape)
        seen.forEachPlace { i, j in
            // `[N, O, plane] x [N, plane, C]`, summed over the images.
            let product = dy.product(seen.pixels(i, j).transposed).sum(0)
            let place = result.sliced(axis: 2, i..<i + 1).sliced(axis: 3, j..<j + 1)
            assign(product.reshaped(place.shape.dimensions).value, to: place)
        }
        return result
    }

    /// The default: a copy of a broadcast view.
    public func upsampleNearest(_ x: Tensor, factor: Int) -> Tensor {
        let (n, c, h, w) = (x.shape[0], x.shape[1], x.shape[2], x.shape[3])
        let repeated = x.unsqueezed(3).unsqueezed(5).expanded(to: [n, c, h, factor, w, factor])
        return copy(repeated, as: x.dtype).reshaped(to: [n, c, h * factor, w * factor])
    }

    /// The default: a sum over the two axes of each square.
    public func upsampleNearestGradient(_ gradient: Tensor, factor: Int) -> Tensor {
        let (n, c) = (gradient.shape[0], gradient.shape[1])
        let (h, w) = (gradient.shape[2] / factor, gradient.shape[3] / factor)
        return composed(gradient).reshaped([n, c, h, factor, w, factor]).sum(3, 5)
            .reshaped([n, c, h, w]).result(as: gradient.dtype)
    }
}

extension Composed {
    /// The weights `[1, O, C]` at one place of the window of `[O, C, kh, kw]`.
    fileprivate func place(_ i: Int, _ j: Int) -> Composed {
        sliced(2, i..<i + 1).sliced(3, j..<j + 1).reshaped([1, shape[0], shape[1]])
    }
}

/// A padded image in `float32`, and how a convolution's window moves over it.
private struct WindowedImage {
    /// `[N, C, H + padding, W + padding]`.
    private let padded: Tensor
    private let kernel: Shape
    private let options: ConvolutionOptions
    private let backend: any Backend
    /// The extents of the result.
    let height: Int, width: Int

    /// `image` is that of the convolution after its other stages; `stages` may say that it is some rows of the whole.
    init(
        _ image: Tensor, kernel: Shape, _ options: ConvolutionOptions, _ stages: ConvolutionStages,
        _ backend: any Backend
    ) {
        var (image, top, bottom) = (Composed(image, backend).value, options.paddingLow, options.paddingHigh)
        if let window = stages.window {
            // The rows that the window sees: those that the image lacks are zeros.
            let from =
                window.rows.lowerBound * options.stride - options.paddingLow - window.firstRow * stages.upsampling
            let to = from + (window.rows.count - 1) * options.stride + kernel[2]
            let given = image.shape[2]
            let inside = max(0, min(from, given))..<max(0, min(to, given))
            (top, bottom) = (inside.lowerBound - from, to - inside.upperBound)
            image = image.sliced(axis: 2, inside)
        }
        let (left, right) = (options.paddingLow, options.paddingHigh)
        padded = backend.pad(image, low: [0, 0, top, left], high: [0, 0, bottom, right], value: 0)
        (self.kernel, self.options, self.backend) = (kernel, options, backend)
        let unpadded = ConvolutionOptions(stride: options.stride)
        height = unpadded.outputExtent(input: padded.shape[2], kernel: kernel[2])
        width = unpadded.outputExtent(input: padded.shape[3], kernel: kernel[3])
    }

    func forEachPlace(_ body: (_ i: Int, _ j: Int) -> Void) {
        for i in 0..<kernel[2] { for j in 0..<kernel[3] { body(i, j) } }
    }

    /// The pixels `[N, C, height, width]` that lie under place (i, j) of the window as it moves: a strided view.
    func view(_ i: Int, _ j: Int) -> Tensor {
        let steps = padded.strides
        return Tensor(
            storage: padded.storage, dtype: .float32, shape: [padded.shape[0], padded.shape[1], height, width],
            strides: [steps[0], steps[1], steps[2] * options.stride, steps[3] * options.stride],
            offset: padded.offset + i * steps[2] + j * steps[3])
    }

    /// The same as `[N, C, plane]`.
    func pixels(_ i: Int, _ j: Int) -> Composed { planes(view(i, j)) }

    /// `[N, C, height, width]` as `[N, C, plane]`.
    func planes(_ x: Tensor) -> Composed {
        Composed(x, backend).reshaped([x.shape[0], x.shape[1], height * width])
    }

    /// The image without what was padded.
    func withoutPadding(_ shape: Shape) -> Tensor {
        let low = options.paddingLow
        return padded.sliced(axis: 2, low..<low + shape[2]).sliced(axis: 3, low..<low + shape[3])
    }
}
