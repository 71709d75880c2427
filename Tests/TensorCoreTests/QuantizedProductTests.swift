import TensorCore
import TestSupport
import Testing

/// Products with quantised factors equal those with the dequantised numbers, bit for bit.
@Suite struct QuantizedProductTests {
    private static let types: [DType] = [.bfloat16, .float32, .float16]

    /// Whether the product of `a` and the view is that with its numbers, and all of them finite.
    private func agrees(_ a: Tensor, _ view: QuantizedMatrix, _ dtype: DType, bias: Tensor? = nil) -> Bool {
        let term = ProductTerm(a, .quantized(view))
        let found = Tensor.sumOfProducts([term], bias: bias, dtype: dtype)
        let wanted = Tensor.sumOfProducts([ProductTerm(a, term.expandedFactor)], bias: bias, dtype: dtype)
        return found.isIdentical(to: wanted) && found.floats.allSatisfy(\.isFinite)
    }

    /// Both directions, odd extents, several blocks along k, views of rows and of columns, each type of the other factor.
    @Test(arguments: MatrixKernels.available, QuantizationFormat.allCases)
    func equalsDequantized(kernels: MatrixKernels, format: QuantizationFormat) {
        Device.withBackend(CPUBackend(matrixKernels: kernels)) {
            let widths = format.blockElements == 256 ? [256, 1536] : [format.blockElements, 96, 2080]
            for (turn, width) in widths.enumerated() {
                for rows in [1, 3, 45, 131] {
                    let whole = QuantizedTensor.sample([rows + 5, width], format, seed: UInt64(turn + 1))
                        .scaled(by: turn == 1 ? 1.7 : 1)
                    let weight = QuantizedMatrix(whole.rows(3..<3 + rows))
                    let cut = width > 40 ? weight.columns(7..<width - 9) : weight
                    let bias = Tensor.sample([rows], seed: 9)
                    for (place, count) in [1, 2, 4, 5, 70].enumerated() {
                        let type = Self.types[(turn + place) % 3]
                        for view in [weight, cut] {
                            let x = Tensor.sample([count, view.shape[1]], seed: 5).converted(to: type)
                            let dy = Tensor.sample([count, rows], seed: 6).converted(to: type)
                            #expect(
                                agrees(x, view.transposed(), .float32, bias: bias),
                                "\(kernels) \(format): x W^T, \(count) x \(view.shape) \(type)")
                            #expect(
                                agrees(dy, view, .bfloat16),
                                "\(kernels) \(format): dy W, \(count) x \(view.shape) \(type)")
                        }
                    }
                }
            }
        }
    }

    /// Several terms, quantised and plain, with an addend, a bias and a function behind.
    @Test(arguments: MatrixKernels.available) func sums(kernels: MatrixKernels) {
        Device.withBackend(CPUBackend(matrixKernels: kernels)) {
            for type in Self.types {
                for rows in [3, 37] {
                    let terms = [(QuantizationFormat.q40, 1120), (.q6K, 512), (.float8E4M3, 33)].enumerated().map {
                        ProductTerm(
                            Tensor.sample([rows, $1.1], seed: 2).converted(to: type),
                            .quantized(
                                QuantizedMatrix(.sample([66, $1.1], $1.0, seed: UInt64($0 + 1))).transposed()))
                    }
                    let narrow = ProductTerm(
                        Tensor.sample([rows, 4], seed: 3).converted(to: type), Tensor.sample([4, 66], seed: 4))
                    let plain = terms.map { ProductTerm($0.a, $0.expandedFactor) }
                    let (addend, bias) = (Tensor.sample([rows, 66], seed: 7), Tensor.sample([66], seed: 8))
                    func sum(_ terms: [ProductTerm]) -> [Tensor] {
                        let activated = Tensor.activatedProducts(
                            terms + [narrow], bias: bias, activation: .geluTanh, keepsSums: true, dtype: .bfloat16)
                        return [
                            .sumOfProducts(terms + [narrow], addend: addend, bias: bias, dtype: .float32),
                            activated.activated, activated.sums!,
                        ]
                    }
                    for (found, wanted) in zip(sum(terms), sum(plain)) {
                        #expect(found.isIdentical(to: wanted), "\(kernels) \(type) \(rows)")
                    }
                }
            }
        }
    }

    /// Engines that know no blocks expand them.
    @Test(arguments: [CPUBackend.Engine.blas, .oneDNN, .plain]) func otherEngines(engine: CPUBackend.Engine) {
        let weight = QuantizedMatrix(.sample([20, 64], .q80, seed: 1))
        let term = ProductTerm(Tensor.sample([6, 64], seed: 2), .quantized(weight.transposed()))
        let wanted = Tensor.sumOfProducts([term], dtype: .float32)
        let found = Device.withBackend(CPUBackend(engine: engine)) { Tensor.sumOfProducts([term], dtype: .float32) }
        #expect(found.error(from: wanted) < 1e-5)
    }

    /// A product is the same on any number of threads.
    @Test func threads() {
        let weight = QuantizedMatrix(.sample([700, 1536], .q4K, seed: 1))
        let x = Tensor.sample([90, 1536], seed: 2).converted(to: .bfloat16)
        let found = [1, 2, 3].map { count -> Tensor in
            Threads.set(count)
            defer { Threads.set(0) }
            return .sumOfProducts([ProductTerm(x, .quantized(weight.transposed()))], dtype: .float32)
        }
        #expect(found[1].isIdentical(to: found[0]) && found[2].isIdentical(to: found[0]))
    }
}
