import TensorCore
import TestSupport
import Testing

/// Kernels that read and write 16-bit elements as they lie, on every instruction set: each result is that of the same
/// numbers in `float32`, rounded once, for odd sizes, strided and broadcast views, and no elements at all.
@Suite struct SixteenBitKernelTests {
    static func expectRoundedOnce(
        _ name: String, _ shapes: [Shape], _ apply: ([Tensor]) -> [Tensor?]
    ) {
        for dtype in [DType.bfloat16, .float16] {
            let narrow = shapes.enumerated().map {
                Tensor.sample($0.element, seed: UInt64($0.offset + 1), -2...2).converted(to: dtype)
            }
            for layout in Layout.allCases {
                let wide = apply(narrow.map { $0.converted(to: .float32).laidOut(layout) })
                let found = apply(narrow.map { $0.laidOut(layout) })
                for (a, b) in zip(found, wide) {
                    guard let a, let b else {
                        #expect(a == nil && b == nil)
                        continue
                    }
                    #expect(
                        a.isIdentical(to: b.converted(to: a.dtype)),
                        "\(InstructionSet.current) \(name) \(dtype) \(shapes) \(layout)")
                }
            }
        }
    }

    static let shapes: [Shape] = [[1], [3], [17], [127], [3, 5], [2, 3, 33], [0, 5], [3, 0], [5, 16]]

    @Test func elementwise() async {
        await #expect(processExitsWith: .success) {
            InstructionSetTests.onEverySet { _ in
                for shape in SixteenBitKernelTests.shapes {
                    for operation in UnaryOperation.allCases where ![.logarithm, .squareRoot].contains(operation) {
                        SixteenBitKernelTests.expectRoundedOnce("\(operation)", [shape, shape]) {
                            [$0[0].applying(operation), $0[0].applyingGradient(operation, gradient: $0[1])]
                        }
                    }
                    for operation in BinaryOperation.allCases {
                        SixteenBitKernelTests.expectRoundedOnce("\(operation)", [shape, shape]) {
                            [.applying(operation, $0[0], $0[1])]
                        }
                    }
                    SixteenBitKernelTests.expectRoundedOnce("accumulate", [shape, shape]) {
                        let (target, sum) = ($0[0].copied(), Tensor(full: $0[0].shape, 0.25))
                        target.accumulate($0[1], scale: 0.5, targetScale: 3)
                        Device.backend.accumulate($0[1], scale: 2, into: sum, targetScale: 1)
                        return [target, sum, $0[0].affine(scale: 0.3, shift: 7)]
                    }
                }
            }
        }
    }

    /// The routing weights of a mixture, gates, biases: rows against one element each, rows against one row, columns.
    @Test func broadcasts() async {
        await #expect(processExitsWith: .success) {
            InstructionSetTests.onEverySet { _ in
                let pairs: [[Shape]] = [
                    [[2, 3, 4, 8], [2, 3, 4, 1]], [[2, 3, 4, 17], [2, 3, 4, 1]], [[2, 3, 33], [2, 1, 33]],
                    [[3, 33], [33]], [[3, 1], [1, 19]], [[2, 3, 5], [3, 1]], [[1], [21]], [[0, 3], [0, 1]],
                ]
                for shapes in pairs {
                    for operation in BinaryOperation.allCases {
                        SixteenBitKernelTests.expectRoundedOnce("\(operation)", shapes) {
                            [.applying(operation, $0[0], $0[1]), .applying(operation, $0[1], $0[0])]
                        }
                    }
                }
            }
        }
    }

    @Test func rows() async {
        await #expect(processExitsWith: .success) {
            InstructionSetTests.onEverySet { _ in
                for shape in SixteenBitKernelTests.shapes {
                    SixteenBitKernelTests.expectRoundedOnce("norms", [shape, shape, [shape[-1]], [shape[-1]]]) { x in
                        let layer = Device.backend.layerNormGradient(
                            x[0], weight: x[2], epsilon: 1e-5, gradient: x[1], needsInput: true, needsParameters: true)
                        let rms = Device.backend.rmsNormGradient(
                            x[0], weight: x[2], epsilon: 1e-5, gradient: x[1], needsInput: true, needsParameters: true)
                        return [
                            x[0].layerNorm(weight: x[2], bias: x[3], epsilon: 1e-5),
                            x[0].rmsNorm(weight: x[2], epsilon: 1e-5), layer.input, layer.weight, layer.bias, rms.input,
                            rms.weight, x[0].softmax(),
                            Device.backend.softmaxGradient(output: x[0], gradient: x[1]),
                        ]
                    }
                    for reduction in Reduction.allCases {
                        SixteenBitKernelTests.expectRoundedOnce("\(reduction)", [shape]) { x in
                            (0..<shape.rank).map { Device.backend.reduce(reduction, x[0], axes: [$0]) }
                        }
                    }
                }
            }
        }
    }

    @Test func modulation() async {
        await #expect(processExitsWith: .success) {
            InstructionSetTests.onEverySet { _ in
                for (batch, tokens, width) in [(2, 3, 17), (1, 1, 1), (3, 127, 64), (2, 0, 8), (1, 9, 300)] {
                    let (x, vector): (Shape, Shape) = ([batch, tokens, width], [batch, 1, width])
                    SixteenBitKernelTests.expectRoundedOnce("modulation", [x, x, vector, vector]) { t in
                        let norm = Device.backend.modulatedNormGradient(
                            t[0], scale: t[2], epsilon: 1e-6, gradient: t[1], needsInput: true, needsModulation: true)
                        return [
                            t[0].modulatedNorm(scale: t[2], shift: t[3], epsilon: 1e-6), norm.input, norm.scale,
                            norm.shift, t[0].addingGated(t[1], gate: t[2]),
                            Device.backend.gateGradient(t[0], gradient: t[1], shape: vector),
                        ]
                    }
                }
            }
        }
    }
}
