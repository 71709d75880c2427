import CKernels

/// The gradient of a convolution's weight: products of the result's gradient with the transposed im2col matrix, which is
/// written out band by band, in the image's own type.
struct WeightGradient {
    private let backend: CPUBackend
    private let image: Tensor, gradient: Tensor
    private let weightShape: Shape
    private let options: ConvolutionOptions

    /// `x` `[N, C, H, W]`, `gradient` `[N, O, h, w]`, weights `[O, C, kh, kw]`.
    init(_ backend: CPUBackend, _ x: Tensor, _ gradient: Tensor, weightShape: Shape, options: ConvolutionOptions) {
        self.backend = backend
        image = x.isContiguous ? x : backend.copy(x, as: x.dtype)
        self.gradient = gradient.isContiguous ? gradient : backend.copy(gradient, as: gradient.dtype)
        self.weightShape = weightShape
        self.options = options
    }

    private var depth: Int { weightShape[1] * weightShape[2] * weightShape[3] }

    /// The sums over all images and places, `float32`.
    func run() -> Tensor {
        let result = Tensor(zeros: weightShape)
        if gradient.count == 0 || result.count == 0 { return result }
        let (height, width) = (gradient.shape[2], gradient.shape[3])
        let most = max(1, min(height, (1 << 22) / (depth * width)))
        let columns = Tensor(uninitialized: [depth * most * width], dtype: image.dtype)
        for number in 0..<image.shape[0] {
            for row in stride(from: 0, to: height, by: most) {
                let rows = row..<min(row + most, height)
                switch image.dtype.byteCount {
                case 2: im2col(number, rows, columns, UInt16.self)
                default: im2col(number, rows, columns, UInt32.self)
                }
                let pixels = rows.count * width
                let place = (number * weightShape[0] * height + row) * width
                PackedProduct(
                    [
                        diptych_gemm_term(
                            k: pixels,
                            a: diptych_gemm_matrix(
                                data: gradient.storage.base + (gradient.offset + place) * gradient.dtype.byteCount,
                                type: CPUBackend.type(gradient.dtype), row: height * width, column: 1),
                            b: diptych_gemm_matrix(
                                data: columns.storage.base, type: CPUBackend.type(columns.dtype), row: 1, column: pixels
                            ))
                    ], m: weightShape[0], n: depth, into: backend.floats(result), row: depth, adds: true,
                    backend.matrixKernels
                ).run()
            }
        }
        return result
    }

    /// `columns[c, i, j; y, x] = image[c, y * stride + i - padding, x * stride + j - padding]`, zero outside.
    private func im2col<Bits: FixedWidthInteger>(_ number: Int, _ rows: Range<Int>, _ columns: Tensor, _: Bits.Type) {
        let (channels, height, width) = (image.shape[1], image.shape[2], image.shape[3])
        let (kernelHeight, kernelWidth, places) = (weightShape[2], weightShape[3], gradient.shape[3])
        let (step, padding) = (options.stride, options.paddingLow)
        let size = MemoryLayout<Bits>.size
        let from = (image.storage.base + (image.offset + number * channels * height * width) * size)
            .assumingMemoryBound(to: Bits.self)
        let to = columns.storage.base.assumingMemoryBound(to: Bits.self)
        parallelFor(depth, grain: max(1, (1 << 16) / (rows.count * places))) { part in
            for line in part {
                let (i, j) = (line / kernelWidth % kernelHeight, line % kernelWidth)
                let plane = from + line / (kernelHeight * kernelWidth) * height * width
                // The places whose pixel lies inside the row.
                let first = min(max(0, (padding - j + step - 1) / step), places)
                let last = max(first, min(places, (width - 1 + padding - j + step) / step))
                for row in rows {
                    let target = to + (line * rows.count + row - rows.lowerBound) * places
                    let y = row * step + i - padding
                    if y < 0 || y >= height || first >= last {
                        target.update(repeating: 0, count: places)
                        continue
                    }
                    let source = plane + y * width + first * step + j - padding
                    target.update(repeating: 0, count: first)
                    if step == 1 {
                        (target + first).update(from: source, count: last - first)
                    } else {
                        for x in 0..<last - first { target[first + x] = source[x * step] }
                    }
                    (target + last).update(repeating: 0, count: places - last)
                }
            }
        }
    }
}
