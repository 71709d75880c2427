/// Convolution by im2col, for the engines that are not ``CPUBackend/Engine/kernels``: some output rows at a time, the im2col
/// matrix is written out and multiplied. The oracle of ``ImplicitGEMM``.
extension CPUBackend {
    func im2colConvolution(_ x: Tensor, weight: Tensor, bias: Tensor?, options: ConvolutionOptions) -> Tensor {
        let (source, kernel) = (float32(x), float32(weight))
        let window = Window(input: x.shape, weight: weight.shape, options: options)
        let result = Tensor(uninitialized: window.outputShape)
        let (from, w, to) = (floats(source), floats(kernel), floats(result))
        let shift = bias.map(float32)
        for image in 0..<x.shape[0] where result.count > 0 {
            let base = to + image * window.outputs * window.plane
            if let shift {
                let values = floats(shift)
                for channel in 0..<window.outputs {
                    (base + channel * window.plane).update(repeating: values[channel], count: window.plane)
                }
            }
            window.forEachBand { rows, columns in
                window.im2col(from + image * window.inputPlanes, rows, into: columns)
                multiply(
                    MatrixView(pointer: w, leading: window.depth, isTransposed: false),
                    MatrixView(pointer: columns, leading: rows.count * window.width, isTransposed: false),
                    into: base + rows.lowerBound * window.width, leading: window.plane, m: window.outputs,
                    k: window.depth, n: rows.count * window.width, adds: shift != nil)
            }
        }
        return rounded(result, to: x.dtype)
    }

    func im2colInputGradient(
        _ gradient: Tensor, weight: Tensor, inputShape: Shape, options: ConvolutionOptions
    ) -> Tensor {
        let (dy, kernel) = (float32(gradient), float32(weight))
        let window = Window(input: inputShape, weight: weight.shape, options: options)
        let result = Tensor(zeros: inputShape)
        let (g, w, to) = (floats(dy), floats(kernel), floats(result))
        for image in 0..<inputShape[0] where gradient.count > 0 {
            window.forEachBand { rows, columns in
                multiply(
                    MatrixView(pointer: w, leading: window.depth, isTransposed: true),
                    MatrixView(
                        pointer: g + image * window.outputs * window.plane + rows.lowerBound * window.width,
                        leading: window.plane, isTransposed: false), into: columns,
                    leading: rows.count * window.width, m: window.depth, k: window.outputs,
                    n: rows.count * window.width)
                window.col2im(columns, rows, addingTo: to + image * window.inputPlanes)
            }
        }
        return rounded(result, to: gradient.dtype)
    }

    func im2colWeightGradient(
        _ x: Tensor, gradient: Tensor, weightShape: Shape, options: ConvolutionOptions
    ) -> Tensor {
        let (source, dy) = (float32(x), float32(gradient))
        let window = Window(input: x.shape, weight: weightShape, options: options)
        let result = Tensor(zeros: weightShape)
        let (from, g, to) = (floats(source), floats(dy), floats(result))
        for image in 0..<x.shape[0] where gradient.count > 0 {
            window.forEachBand { rows, columns in
                window.im2col(from + image * window.inputPlanes, rows, into: columns)
                multiply(
                    MatrixView(
                        pointer: g + image * window.outputs * window.plane + rows.lowerBound * window.width,
                        leading: window.plane, isTransposed: false),
                    MatrixView(pointer: columns, leading: rows.count * window.width, isTransposed: true), into: to,
                    leading: window.depth, m: window.outputs, k: rows.count * window.width, n: window.depth, adds: true)
            }
        }
        return result
    }
}

/// The geometry of a convolution and its two copies: image to columns and back.
private struct Window {
    let options: ConvolutionOptions
    let images: Int, channels: Int, inputHeight: Int, inputWidth: Int
    let outputs: Int, kernelHeight: Int, kernelWidth: Int
    let height: Int, width: Int

    init(input: Shape, weight: Shape, options: ConvolutionOptions) {
        self.options = options
        (images, channels, inputHeight, inputWidth) = (input[0], input[1], input[2], input[3])
        (outputs, kernelHeight, kernelWidth) = (weight[0], weight[2], weight[3])
        height = options.outputExtent(input: inputHeight, kernel: kernelHeight)
        width = options.outputExtent(input: inputWidth, kernel: kernelWidth)
    }

    var outputShape: Shape { Shape([images, outputs, height, width]) }
    /// Pixels of one output channel.
    var plane: Int { height * width }
    /// Elements of one input image.
    var inputPlanes: Int { channels * inputHeight * inputWidth }
    /// Rows of the column matrix.
    var depth: Int { channels * kernelHeight * kernelWidth }

    /// Calls `body` with bands of output rows, small enough that their columns fit in 16 MiB, and room for them.
    func forEachBand(_ body: (Range<Int>, UnsafeMutablePointer<Float>) -> Void) {
        let most = max(1, min(height, (1 << 22) / max(depth * width, 1)))
        let columns = Tensor(uninitialized: [depth * most * width])
        let pointer = columns.pointer(to: Float.self)
        var row = 0
        while row < height {
            let end = min(row + most, height)
            body(row..<end, pointer)
            row = end
        }
    }

    /// `columns[c, i, j; y, x] = image[c, y * stride + i - padding, x * stride + j - padding]`.
    func im2col(_ image: UnsafePointer<Float>, _ rows: Range<Int>, into columns: UnsafeMutablePointer<Float>) {
        parallelFor(depth, grain: max(1, (1 << 14) / max(rows.count * width, 1))) { part in
            for line in part {
                var to = columns + line * rows.count * width
                forEachTap(line, rows) { y, x, isInside in
                    to[0] = isInside ? image[y * inputWidth + x] : 0
                    to += 1
                }
            }
        }
    }

    /// Adds each column entry back to the pixel that it came from.
    func col2im(_ columns: UnsafePointer<Float>, _ rows: Range<Int>, addingTo image: UnsafeMutablePointer<Float>) {
        let taps = kernelHeight * kernelWidth
        parallelFor(channels, grain: max(1, (1 << 14) / max(taps * rows.count * width, 1))) { part in
            for line in part.lowerBound * taps..<part.upperBound * taps {
                var from = columns + line * rows.count * width
                forEachTap(line, rows) { y, x, isInside in
                    if isInside { image[y * inputWidth + x] += from[0] }
                    from += 1
                }
            }
        }
    }

    /// Visits, for one line of the column matrix, the input pixel under each output pixel of `rows`; `y` counts rows
    /// of all channels.
    @inline(__always)
    private func forEachTap(_ line: Int, _ rows: Range<Int>, _ body: (Int, Int, Bool) -> Void) {
        let channel = line / (kernelHeight * kernelWidth)
        let (i, j) = (line / kernelWidth % kernelHeight, line % kernelWidth)
        for row in rows {
            let y = row * options.stride + i - options.paddingLow
            let isRowInside = y >= 0 && y < inputHeight
            for column in 0..<width {
                let x = column * options.stride + j - options.paddingLow
                body(channel * inputHeight + y, x, isRowInside && x >= 0 && x < inputWidth)
            }
        }
    }
}
