import Foundation
import TensorCore
import TestSupport
import Testing

/// Convolution by patches, on every set of kernels that the processor runs, against columns and double-precision sums.
@Suite struct ConvolutionKernelsTests {
    private struct Case: CustomStringConvertible {
        var x: Shape
        var w: Shape
        var options: ConvolutionOptions = .init(padding: 1)
        var description: String { "\(x) by \(w), \(options)" }
    }

    /// Odd extents, rows shorter and longer than a vector, more than one block of patches, of channels and of rows.
    private let cases: [Case] = [
        .init(x: [1, 1, 1, 1], w: [1, 1, 3, 3]), .init(x: [1, 1, 1, 127], w: [3, 1, 3, 3]),
        .init(x: [1, 3, 17, 33], w: [5, 3, 3, 3]), .init(x: [2, 17, 5, 31], w: [33, 17, 3, 3]),
        .init(x: [1, 5, 127, 3], w: [1, 5, 3, 3]), .init(x: [1, 129, 9, 35], w: [17, 129, 3, 3]),
        .init(x: [1, 33, 21, 40], w: [127, 33, 1, 1], options: .init()),
        .init(x: [3, 7, 1, 13], w: [2, 7, 1, 1], options: .init()),
        .init(x: [1, 1030, 3, 5], w: [3, 1030, 1, 1], options: .init()),
        .init(x: [1, 3, 33, 66], w: [15, 3, 3, 3], options: .init(stride: 2, paddingHigh: 1)),
        .init(x: [2, 3, 19, 35], w: [4, 3, 5, 2], options: .init(stride: 3, padding: 2, paddingHigh: 0)),
        .init(x: [1, 2, 9, 300], w: [3, 2, 3, 3], options: .init(padding: 2)),
        .init(x: [1, 2, 4, 4], w: [3, 2, 1, 1], options: .init(stride: 2, padding: 1)),
        // Images that share a block of columns, in groups and alone; rows of windows that lie a stride apart; weights that
        // are read as they lie, by every kind of tile.
        .init(x: [5, 6, 4, 5], w: [9, 6, 3, 3]), .init(x: [3, 64, 3, 5], w: [64, 64, 1, 1], options: .init()),
        .init(x: [9, 4, 8, 8], w: [15, 4, 3, 3]), .init(x: [2, 32, 6, 7], w: [32, 32, 3, 3]),
        .init(x: [3, 4, 11, 14], w: [6, 4, 3, 3], options: .init(stride: 2, paddingHigh: 1)),
        .init(x: [1, 2, 23, 29], w: [5, 2, 4, 7], options: .init(stride: 3, padding: 3)),
        .init(x: [1, 64, 9, 9], w: [32, 64, 2, 2], options: .init(stride: 2)),
        // Channels that oneDNN takes, of images and of gradients.
        .init(x: [1, 128, 17, 20], w: [33, 128, 3, 3], options: .init(stride: 2, paddingHigh: 1)),
        .init(x: [1, 3, 9, 20], w: [128, 3, 3, 3]),
        .init(x: [1, 2, 2, 2], w: [3, 2, 3, 3], options: .init()), .init(x: [0, 2, 5, 5], w: [3, 2, 3, 3]),
        .init(x: [1, 0, 5, 5], w: [3, 0, 3, 3]), .init(x: [1, 2, 5, 5], w: [0, 2, 3, 3]),
        .init(x: [1, 2, 0, 5], w: [3, 2, 3, 3], options: .init()),
    ]

    /// What `terms` products of numbers up to 1 may differ by when they are summed in `float32`.
    private func bound(_ terms: Int) -> Double { 1e-6 + 0x1p-24 * 2 * Double(terms) }

    private func difference(_ a: Tensor, _ b: Tensor) -> Double {
        if a.shape != b.shape { return .infinity }
        return zip(a.floats, b.floats).reduce(0) { worst, pair in
            let distance = abs(Double(pair.0) - Double(pair.1))
            return distance <= worst ? worst : distance.isNaN ? .infinity : distance
        }
    }

    @Test(arguments: MatrixKernels.available, [DType.float32, .bfloat16, .float16])
    func agreeWithColumns(kernels: MatrixKernels, dtype: DType) {
        let fast = CPUBackend(matrixKernels: kernels)
        let oracle = CPUBackend(engine: .plain)
        var worst = 0.0
        for item in cases {
            let options = item.options
            let x = (Tensor.sample(item.x, seed: 1) * 0.9).converted(to: dtype)
            let bias = Tensor.sample([item.w[0]], seed: 3)
            for weightType in [dtype, .float32] {
                let w = (Tensor.sample(item.w, seed: 2) * 1.1).converted(to: weightType)
                let (wideX, wideW) = (x.converted(to: .float32), w.converted(to: .float32))
                let y = oracle.convolution(wideX, weight: wideW, bias: bias, options: options)
                let g = (Tensor.sample(y.shape, seed: 4) * 0.8).converted(to: dtype)
                let wideG = g.converted(to: .float32)
                let dx = oracle.convolutionInputGradient(wideG, weight: wideW, inputShape: item.x, options: options)
                let dw = oracle.convolutionWeightGradient(wideX, gradient: wideG, weightShape: item.w, options: options)
                for layout in Layout.allCases {
                    let (a, b, c) = (x.laidOut(layout), w.laidOut(layout), g.laidOut(layout))
                    let found = fast.convolution(a, weight: b, bias: bias.laidOut(layout), options: options)
                    let back = fast.convolutionInputGradient(c, weight: b, inputShape: item.x, options: options)
                    let slope = fast.convolutionWeightGradient(a, gradient: c, weightShape: item.w, options: options)
                    #expect(found.dtype == dtype && back.dtype == dtype && slope.dtype == .float32)
                    #expect(found.shape == y.shape && back.shape == item.x && slope.shape == item.w)
                    let taps = item.w[2] * item.w[3]
                    for (name, result, expected, terms) in [
                        ("result", found, y, item.w[1] * taps), ("image", back, dx, item.w[0] * taps),
                        ("weight", slope, dw, g.count / max(item.w[0], 1)),
                    ] {
                        // A rounding to 16 bits besides: half a unit in the last place of numbers below 2^8.
                        let largest = expected.floats.reduce(1) { max($0, Double(abs($1))) }
                        let rounding = result.dtype == .float32 ? 0 : largest * (dtype == .bfloat16 ? 0x1p-8 : 0x1p-11)
                        let error = difference(result, expected)
                        worst = max(worst, error / (bound(terms) + rounding))
                        #expect(error <= bound(terms) + rounding, "\(kernels), \(item), \(layout), \(name): \(error)")
                    }
                }
            }
        }
        print("convolution, \(kernels), \(dtype): at most \(worst) of the bound")
        #expect(worst > 0)
    }

    /// NaN and infinity stay in the windows that see them; no margin of a row leaks into the next.
    @Test(arguments: MatrixKernels.available) func specialNumbersStayInTheirWindows(kernels: MatrixKernels) {
        for (dtype, channels, outputs) in [DType.float32, .bfloat16].flatMap({ [($0, 2, 3), ($0, 128, 16)] }) {
            var values = [Float](repeating: 1, count: channels * 9 * 40)
            values[4 * 40] = .nan
            values[(9 + 7) * 40 + 39] = .infinity
            let x = Tensor(values, [1, channels, 9, 40]).converted(to: dtype)
            let w = Tensor(full: [outputs, channels, 3, 3], 0.5, dtype: dtype)
            let y = CPUBackend(matrixKernels: kernels).convolution(x, weight: w, bias: nil, options: .init(padding: 1))
                .floats
            for o in 0..<outputs {
                for row in 0..<9 {
                    for column in 0..<40 {
                        let value = y[(o * 9 + row) * 40 + column]
                        if abs(row - 4) <= 1 && column <= 1 {
                            #expect(value.isNaN)
                        } else if abs(row - 7) <= 1 && column >= 38 {
                            #expect(value == .infinity)
                        } else {
                            let (high, wide) = (row % 8 == 0 ? 2 : 3, column % 39 == 0 ? 2 : 3)
                            #expect(value == Float(high * wide * channels / 2))
                        }
                    }
                }
            }
        }
    }

    /// Norm, up-sampling, residual and windows against the same in steps, a tensor after each.
    @Test(arguments: MatrixKernels.available, [DType.float32, .bfloat16, .float16])
    func stagesAgreeWithSteps(kernels: MatrixKernels, dtype: DType) {
        let fast = CPUBackend(matrixKernels: kernels)
        let oracle = CPUBackend(engine: .plain)
        let same = ConvolutionOptions(padding: 1)
        var worst = 0.0
        for (extent, channels, outputs, kernel, factor, options) in [
            ([7, 9], 6, 5, 3, 1, same), ([5, 33], 4, 3, 3, 2, same), ([1, 1], 2, 1, 3, 2, same),
            ([16, 40], 36, 17, 3, 2, same), ([9, 7], 6, 2, 3, 1, ConvolutionOptions(stride: 2, paddingHigh: 1)),
            ([3, 5], 4, 3, 2, 3, ConvolutionOptions(stride: 2, padding: 1)), ([6, 5], 8, 9, 1, 1, .init()),
            ([4, 6], 2, 3, 5, 2, .init(padding: 2)), ([5, 9], 128, 17, 3, 1, same), ([6, 8], 128, 16, 3, 2, same),
        ] {
            let x = (Tensor.sample([2, channels, extent[0], extent[1]], seed: 1) * 1.7).converted(to: dtype)
            let w = (Tensor.sample([outputs, channels, kernel, kernel], seed: 2) * 0.9).converted(to: dtype)
            let bias = Tensor.sample([outputs], seed: 3)
            let norm = ConvolutionStages.Norm(
                groups: 2, weight: Tensor.sample([channels], seed: 4), bias: Tensor.sample([channels], seed: 5),
                epsilon: 1e-5)
            let shape = options.outputShape(input: x.shape, weight: w.shape, stages: .init(upsampling: factor))
            let residual = Tensor.sample(shape, seed: 6).converted(to: dtype)
            for (norm, residual) in [(nil, nil), (norm, nil), (nil, residual), (norm, residual)] {
                var stages = ConvolutionStages(norm: norm, upsampling: factor, residual: residual)
                let found = fast.convolution(x, weight: w, bias: bias, options: options, stages: stages)
                #expect(found.dtype == dtype && found.shape == shape)
                stages.residual = residual?.converted(to: .float32)
                let expected = oracle.convolution(
                    x.converted(to: .float32), weight: w.converted(to: .float32), bias: bias, options: options,
                    stages: stages)
                // Relative to the norm: normalised pixels and sums of weights are rounded to `bfloat16` on the way.
                let (a, b) = (found.floats, expected.floats)
                let distance = zip(a, b).reduce(0.0) { $0 + pow(Double($1.0) - Double($1.1), 2) }
                let length = b.reduce(0.0) { $0 + Double($1) * Double($1) }
                let error = (distance / length).squareRoot()
                let tolerance = dtype == .float32 ? 2e-6 : dtype == .float16 ? 5e-4 : 5e-3
                worst = max(worst, error / tolerance)
                #expect(error <= tolerance, "\(kernels), \(x.shape), \(w.shape), \(factor): \(error)")

                // Every band of rows, from no more of the image than it sees, is that of the whole, bit for bit.
                stages.residual = nil
                let whole = fast.convolution(x, weight: w, bias: bias, options: options, stages: stages)
                if let norm {
                    stages.norm!.moments = fast.groupMoments(
                        fast.rowMoments(x), groups: 2, width: extent[1], epsilon: norm.epsilon)
                }
                for from in 0..<shape[2] {
                    for to in from + 1...shape[2] where to - from < 4 {
                        let low = (from * options.stride - options.paddingLow) / factor - 1
                        let high = ((to - 1) * options.stride - options.paddingLow + kernel - 1) / factor + 1
                        let rows = min(max(0, low), extent[0])..<max(0, min(extent[0], high))
                        guard !rows.isEmpty else { continue }
                        stages.window = .init(rows: from..<to, firstRow: rows.lowerBound)
                        let part = fast.convolution(
                            x.sliced(axis: 2, rows), weight: w, bias: bias, options: options, stages: stages)
                        #expect(part.isIdentical(to: whole.sliced(axis: 2, from..<to)), "\(x.shape), \(from)..<\(to)")
                        let steps = oracle.convolution(
                            x.converted(to: .float32).sliced(axis: 2, rows), weight: w.converted(to: .float32),
                            bias: bias, options: options, stages: stages)
                        #expect(steps.shape == part.shape)
                        if dtype == .float32 {
                            #expect(difference(part, steps) <= 3e-5 * Double(max(1, channels / 32)))
                        }
                    }
                }
            }
        }
        print("stages, \(kernels), \(dtype): at most \(worst) of the tolerance")
        #expect(worst > 0)
    }

    /// Moments of joined parts are those of the whole, bit for bit, and right where the mean is far from zero.
    @Test func momentsOfPartsJoin() {
        let backend = CPUBackend()
        for dtype in [DType.float32, .bfloat16] {
            let x = (Tensor.sample([2, 6, 9, 37], seed: 1) + 100).converted(to: dtype)
            let whole = backend.rowMoments(x)
            let parts = [0..<4, 4..<5, 5..<9].map { backend.rowMoments(x.sliced(axis: 2, $0)) }
            #expect(Tensor.concatenated(parts, axis: 2).isIdentical(to: whole))
            let found = backend.groupMoments(whole, groups: 3, width: 37, epsilon: 1e-6).floats
            let values = x.floats.map { Double($0) }
            for group in 0..<6 {
                let members = values[group * 2 * 9 * 37..<(group + 1) * 2 * 9 * 37]
                let mean = members.reduce(0, +) / Double(members.count)
                let variance = members.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(members.count)
                #expect(abs(Double(found[2 * group]) - mean) <= 1e-5)
                let expected = 1 / (variance + 1e-6).squareRoot()
                #expect(abs(Double(found[2 * group + 1]) / expected - 1) <= 1e-5)
            }
        }
    }

    /// In a process of its own, since the number of threads is one for the process.
    @Test func threadsDoNotMatter() async {
        await #expect(processExitsWith: .success) {
            for kernels in MatrixKernels.available {
                let backend = CPUBackend(matrixKernels: kernels)
                for (x, w, options) in [
                    ([1, 20, 70, 90] as Shape, [40, 20, 3, 3] as Shape, ConvolutionOptions(padding: 1)),
                    ([1, 70, 8, 8], [150, 70, 3, 3], .init(padding: 1)), ([3, 64, 33, 37], [70, 64, 1, 1], .init()),
                    ([6, 30, 8, 8], [150, 30, 3, 3], .init(padding: 1)), ([1, 64, 40, 40], [64, 64, 3, 3], .init()),
                    ([2, 16, 64, 66], [33, 16, 3, 3], .init(stride: 2, paddingHigh: 1)),
                ] {
                    for dtype in [DType.float32, .bfloat16] {
                        let image = (Tensor.sample(x, seed: 1) * 0.9).converted(to: dtype)
                        let weight = (Tensor.sample(w, seed: 2) * 1.1).converted(to: dtype)
                        var alone: [Tensor] = []
                        for count in [1, 2, 3, 7] {
                            Threads.set(count)
                            let y = backend.convolution(image, weight: weight, bias: nil, options: options)
                            let all = [
                                y, backend.convolutionInputGradient(y, weight: weight, inputShape: x, options: options),
                                backend.convolutionWeightGradient(image, gradient: y, weightShape: w, options: options),
                            ]
                            if count == 1 { alone = all }
                            for (a, b) in zip(all, alone) {
                                #expect(a.isIdentical(to: b), "\(kernels), \(x), \(dtype), \(count) threads")
                            }
                        }
                    }
                }
            }
        }
    }
}
