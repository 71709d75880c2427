/// One set of kernels beside its oracle, on this processor: what `diptych doctor` runs.
public struct KernelCheck: Sendable {
    /// What was computed: `products and attention`, `elementwise, norms, conversions`, …
    public let subject: String
    /// The kernels or the library: `avx512bf16`, `oneDNN 2.6.3`.
    public let kernels: String
    /// The largest difference from the oracle, relative to the oracle's largest value; NaN where one of both is no number.
    public let difference: Double
    /// The largest difference that roundings explain.
    public let tolerance: Double

    /// Whether the kernels compute what the oracle does.
    public var isPassed: Bool { difference <= tolerance }

    /// Checks everything that this process could use. It lowers the instruction set of the whole process on its way, so
    /// that nothing else should compute meanwhile.
    public static func all() -> [KernelCheck] {
        products() + elements() + libraries()
    }

    /// Products and attention of each set, against three loops with double-precision sums.
    private static func products() -> [KernelCheck] {
        MatrixKernels.available.map { kernels in
            let trial = KernelTrial(
                of: CPUBackend(matrixKernels: kernels, leavesSomeToOneDNN: false), against: CPUBackend(engine: .plain))
            return KernelCheck(
                subject: "products and attention", kernels: kernels.rawValue,
                difference: Double(
                    trial.differences.reduce(0) { $0.isNaN || $1.difference.isNaN ? .nan : max($0, $1.difference) }),
                tolerance: Double(KernelTrial.tolerance))
        }
    }

    /// All other kernels of each instruction set, against their scalar twins.
    private static func elements() -> [KernelCheck] {
        let before = InstructionSet.current
        defer { InstructionSet.force(before) }
        func results(_ set: InstructionSet) -> [Tensor] {
            InstructionSet.force(set)
            return elementwiseResults()
        }
        let oracle = results(.scalar)
        return InstructionSet.available.filter { $0 != .scalar }.map { set in
            KernelCheck(
                subject: "elementwise, norms, quantised numbers", kernels: set.rawValue,
                difference: difference(results(set), oracle), tolerance: 1e-5)
        }
    }

    /// Odd extents, so that every kernel has a rest behind its last whole vector.
    private static func elementwiseResults() -> [Tensor] {
        let x = Tensor((0..<1003).map { Float($0 % 641) / 64 - 5 }, [17, 59])
        let weight = Tensor((0..<59).map { 1 + Float($0) / 64 }, [59])
        let image = x.sliced(axis: 0, 0..<16).reshaped(to: [1, 16, 59, 1])
        let rows = Tensor((0..<512).map { Float($0 % 97) / 32 - 1.5 }, [2, 256])
        let functions: [UnaryOperation] = [
            .exponential, .sine, .cosine, .sigmoid, .tanh, .silu, .gelu, .geluTanh, .quickGelu,
        ]
        return functions.map { x.applying($0) }
            + [
                x.softmax(), x.layerNorm(weight: weight, bias: weight, epsilon: 1e-6),
                x.rmsNorm(weight: weight, epsilon: 1e-6),
                image.groupNorm(
                    groups: 4, weight: x.sliced(axis: 1, 0..<1).sliced(axis: 0, 0..<16).contiguous().reshaped(to: [16]),
                    bias: weight.sliced(axis: 0, 0..<16).contiguous(), epsilon: 1e-6),
                x.converted(to: .bfloat16).converted(to: .float32), x.converted(to: .float16).converted(to: .float32),
                x.sum(axes: [1]), x.mean(axes: [0]),
            ]
            + QuantizationFormat.allCases.filter(\.isWritable).map {
                QuantizedTensor(quantizing: rows, to: $0).dequantized()
            }
    }

    /// What the libraries compute for us, against the plain loops.
    private static func libraries() -> [KernelCheck] {
        let (a, b) = (Tensor.wave([67, 300]), Tensor.wave([300, 45]))
        let oracle = CPUBackend(engine: .plain).matrixProduct(a, b, bias: nil, dtype: .float32)
        var checks: [KernelCheck] = []
        func check(_ name: String, _ found: Tensor, _ expected: Tensor, _ subject: String) {
            checks.append(
                KernelCheck(
                    subject: subject, kernels: name, difference: difference([found], [expected]), tolerance: 1e-5))
        }
        let blas = CPUBackend(engine: .blas).matrixProduct(a, b, bias: nil, dtype: .float32)
        check("OpenBLAS (\(CPUBackend.blasCoreName))", blas, oracle, "products")
        if OneDNN.isUsable {
            let name = "oneDNN \(OneDNN.version)"
            check(name, OneDNN.product(a, b, dtype: .float32, packedWeight: nil), oracle, "products")
            let (x, w) = (Tensor.wave([1, 128, 9, 11]), Tensor.wave([32, 128, 3, 3]))
            let options = ConvolutionOptions(padding: 1)
            func convolved(_ backend: CPUBackend) -> Tensor {
                Device.withBackend(backend) { x.convolution(weight: w, bias: nil, options: options) }
            }
            check(name, convolved(CPUBackend()), convolved(CPUBackend(engine: .plain)), "convolutions")
        }
        return checks
    }

    private static func difference(_ found: [Tensor], _ expected: [Tensor]) -> Double {
        zip(found, expected).reduce(0) { worst, pair in
            let (x, y) = (pair.0.floats, pair.1.floats)
            let scale = max(y.reduce(0) { max($0, abs($1)) }, 1)
            let distance = Double(KernelTrial.difference(x, y) / scale)
            return worst.isNaN || distance.isNaN ? .nan : max(worst, distance)
        }
    }
}

extension Tensor {
    /// Numbers between -1 and 1 that look like nothing.
    fileprivate static func wave(_ shape: Shape) -> Tensor {
        Tensor((0..<shape.count).map { Float($0 * 37 % 211) / 106 - 1 }, shape)
    }
}
