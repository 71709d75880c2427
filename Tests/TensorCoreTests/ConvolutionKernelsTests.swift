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
        for dtype in [DType.float32, .bfloat16] {
            var values = [Float](repeating: 1, count: 2 * 9 * 40)
            values[4 * 40] = .nan
            values[(9 + 7) * 40 + 39] = .infinity
            let x = Tensor(values, [1, 2, 9, 40]).converted(to: dtype)
            let w = Tensor(full: [3, 2, 3, 3], 0.5, dtype: dtype)
            let y = CPUBackend(matrixKernels: kernels).convolution(x, weight: w, bias: nil, options: .init(padding: 1))
                .floats
            for o in 0..<3 {
                for row in 0..<9 {
                    for column in 0..<40 {
                        let value = y[(o * 9 + row) * 40 + column]
                        if abs(row - 4) <= 1 && column <= 1 {
                            #expect(value.isNaN)
                        } else if abs(row - 7) <= 1 && column >= 38 {
                            #expect(value == .infinity)
                        } else {
                            let (high, wide) = (row % 8 == 0 ? 2 : 3, column % 39 == 0 ? 2 : 3)
                            #expect(value == Float(high * wide))
                        }
                    }
                }
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
