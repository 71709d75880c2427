import TensorCore
import TestSupport
import Testing

@Suite struct ConvolutionTests {
    private struct Case: CustomStringConvertible {
        var x: Shape
        var w: Shape
        var options: ConvolutionOptions = .init()
        var description: String { "\(x) by \(w), \(options)" }
    }

    private let cases: [Case] = [
        .init(x: [1, 1, 1, 1], w: [1, 1, 1, 1]), .init(x: [2, 3, 5, 4], w: [4, 3, 1, 1]),
        .init(x: [2, 3, 5, 4], w: [4, 3, 3, 3]), .init(x: [1, 2, 7, 6], w: [3, 2, 3, 3], options: .init(padding: 1)),
        .init(x: [1, 2, 8, 6], w: [3, 2, 3, 3], options: .init(stride: 2, paddingHigh: 1)),
        .init(x: [1, 2, 9, 8], w: [2, 2, 5, 5], options: .init(stride: 3, padding: 2, paddingHigh: 3)),
        .init(x: [1, 2, 5, 9], w: [2, 2, 1, 7], options: .init(padding: 3)),
        .init(x: [1, 3, 6, 6], w: [2, 3, 2, 3], options: .init(stride: 2, padding: 1)),
        .init(x: [3, 1, 4, 4], w: [1, 1, 4, 4]), .init(x: [1, 1, 2, 2], w: [1, 1, 3, 3], options: .init(stride: 2)),
        .init(x: [0, 2, 4, 4], w: [3, 2, 3, 3]), .init(x: [1, 0, 4, 4], w: [3, 0, 3, 3]),
        .init(x: [1, 2, 4, 4], w: [3, 2, 1, 1], options: .init(stride: 2, padding: 1)),
    ]

    /// The definition as seven nested loops.
    private func expected(_ x: Tensor, _ w: Tensor, _ bias: Tensor?, _ options: ConvolutionOptions) -> Reference {
        let (image, kernel, shift) = (Reference(x), Reference(w), bias.map { Reference($0) })
        func extent(_ input: Int, _ window: Int) -> Int {
            var places = 0
            var start = -options.paddingLow
            while start + window <= input + options.paddingHigh {
                places += 1
                start += options.stride
            }
            return places
        }
        let shape = Shape([x.shape[0], w.shape[0], extent(x.shape[2], w.shape[2]), extent(x.shape[3], w.shape[3])])
        return Reference(shape) { index in
            var sum = shift?[index[1]] ?? 0
            for channel in 0..<w.shape[1] {
                for i in 0..<w.shape[2] {
                    for j in 0..<w.shape[3] {
                        let y = index[2] * options.stride + i - options.paddingLow
                        let x = index[3] * options.stride + j - options.paddingLow
                        guard (0..<image.shape[2]).contains(y), (0..<image.shape[3]).contains(x) else { continue }
                        sum += image[index[0], channel, y, x] * kernel[index[1], channel, i, j]
                    }
                }
            }
            return sum
        }
    }

    @Test(arguments: CPUBackend.Engine.allCases) func definition(engine: CPUBackend.Engine) {
        for item in cases {
            let (x, w) = (Tensor.sample(item.x, seed: 1), Tensor.sample(item.w, seed: 2))
            let bias = Tensor.sample([item.w[0]], seed: 3)
            let plain = expected(x, w, nil, item.options)
            let shifted = expected(x, w, bias, item.options)
            Device.withBackend(CPUBackend(engine: engine)) {
                for layout in Layout.allCases {
                    let (u, v) = (x.laidOut(layout), w.laidOut(layout))
                    let found = u.convolution(weight: v, options: item.options)
                    #expect(found.shape == plain.shape, "\(item)")
                    #expect(found.error(from: plain.values) <= 3e-6, "\(item) \(layout)")
                    let withBias = u.convolution(weight: v, bias: bias.laidOut(layout), options: item.options)
                    #expect(withBias.error(from: shifted.values) <= 3e-6, "\(item) \(layout)")
                }
            }
        }
    }

    /// A convolution is linear in the image and in the weight, so its gradients are adjoint maps:
    /// `<conv(x, w), g> = <x, inputGradient(g, w)> = <w, weightGradient(x, g)>`.
    @Test func gradientsAreAdjoint() {
        func dot(_ a: Tensor, _ b: Tensor) -> Double {
            zip(Reference(a).values, Reference(b).values).reduce(0) { $0 + $1.0 * $1.1 }
        }
        let backend = Device.backend
        for item in cases {
            let (x, w) = (Tensor.sample(item.x, seed: 1), Tensor.sample(item.w, seed: 2))
            let y = x.convolution(weight: w, options: item.options)
            let g = Tensor.sample(y.shape, seed: 3)
            for layout in Layout.allCases {
                let dx = backend.convolutionInputGradient(
                    g.laidOut(layout), weight: w.laidOut(layout), inputShape: item.x, options: item.options)
                let dw = backend.convolutionWeightGradient(
                    x.laidOut(layout), gradient: g.laidOut(layout), weightShape: item.w, options: item.options)
                #expect(dx.shape == item.x && dw.shape == item.w && dw.dtype == .float32)
                #expect(abs(dot(y, g) - dot(x, dx)) <= 1e-4 && abs(dot(y, g) - dot(w, dw)) <= 1e-4, "\(item)")
            }
        }
    }

    /// More than one band of rows: their columns do not fit in the work space at once.
    @Test func largeImagesAreDoneInBands() {
        let (x, w) = (Tensor.sample([1, 16, 180, 180], seed: 1), Tensor.sample([2, 16, 3, 3], seed: 2))
        let whole = x.convolution(weight: w, options: .init(padding: 1))
        // The same rows from two smaller images that overlap by the window.
        let upper = x.sliced(axis: 2, 0..<101).convolution(weight: w, options: .init(padding: 1))
        let lower = x.sliced(axis: 2, 99..<180).convolution(weight: w, options: .init(padding: 1))
        #expect(whole.sliced(axis: 2, 0..<100).error(from: upper.sliced(axis: 2, 0..<100)) <= 2e-5)
        #expect(whole.sliced(axis: 2, 100..<180).error(from: lower.sliced(axis: 2, 1..<81)) <= 2e-5)
    }

    @Test func upsampling() {
        let x = Tensor.sample([2, 3, 2, 4], seed: 1)
        for factor in 1...3 {
            let values = Reference(x)
            let expected = Reference([2, 3, 2 * factor, 4 * factor]) {
                values[$0[0], $0[1], $0[2] / factor, $0[3] / factor]
            }
            for layout in Layout.allCases {
                let y = x.laidOut(layout).upsampledNearest(factor)
                #expect(y.shape == expected.shape && y.error(from: expected.values) == 0)
                let back = Device.backend.upsampleNearestGradient(y.laidOut(layout), factor: factor)
                #expect(back.error(from: values.values.map { $0 * Double(factor * factor) }) <= 1e-6)
            }
        }
    }
}
