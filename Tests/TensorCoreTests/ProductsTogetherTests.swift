import TensorCore
import TestSupport
import Testing

/// Sums of products that run together: each what it is alone, bit for bit.
@Suite struct ProductsTogetherTests {
    private static let types: [DType] = [.float32, .bfloat16, .float16]

    private static func alone(_ sum: ProductSum) -> Tensor {
        .sumOfProducts(sum.terms, bias: sum.bias, dtype: sum.dtype)
    }

    /// Numbers of all digits: sums of the samples themselves would be exact in any order.
    private static func numbers(_ shape: Shape, _ seed: UInt64, _ type: DType) -> Tensor {
        (Tensor.sample(shape, seed: seed) * 1.0471976).converted(to: type)
    }

    /// Sums of all kinds: odd extents, every type, layouts, with bias and without, one term or two, no rows, no columns,
    /// nothing to sum, and gradients of tall weights, which are computed transposed.
    private static func mixedSums() -> [ProductSum] {
        var sums: [ProductSum] = []
        for m in [0, 1, 3, 5, 17, 127] {
            for n in [0, 1, 3, 17, 64, 127] {
                let turn = sums.count
                let (left, right) = (types[turn % 3], types[turn / 3 % 3])
                let layout = Layout.allCases[turn % 4]
                let k = [1, 17, 96, 127, 0][turn % 5]
                var terms = [
                    ProductTerm(
                        numbers([m, k], 1, left).laidOut(layout),
                        numbers([n, k], 2, right).laidOut(layout).transposed())
                ]
                if turn % 2 == 1 { terms.append(ProductTerm(numbers([m, 4], 3, left), numbers([4, n], 4, right))) }
                let bias = turn % 4 < 2 ? numbers([n], 5, right) : nil
                sums.append(ProductSum(terms, bias: bias, dtype: types[turn / 2 % 3]))
            }
        }
        let (slopes, rows) = (numbers([32, 200], 6, .bfloat16), numbers([32, 20], 7, .bfloat16))
        sums.append(ProductSum([ProductTerm(slopes.transposed(), rows)], dtype: .float32))
        return sums
    }

    @Test(arguments: MatrixKernels.available) func equalsOneByOne(kernels: MatrixKernels) {
        let sums = Self.mixedSums()
        let (found, wanted) = Device.withBackend(CPUBackend(matrixKernels: kernels)) {
            (Tensor.sumsOfProducts(sums), sums.map(Self.alone))
        }
        let oracle = Device.withBackend(CPUBackend(engine: .plain)) {
            Tensor.sumsOfProducts(sums.map { ProductSum($0.terms, bias: $0.bias, dtype: .float32) })
        }
        #expect(found.count == sums.count && oracle.count == sums.count)
        var worst = 0.0
        for (i, sum) in sums.enumerated() {
            #expect(found[i].isIdentical(to: wanted[i]), "\(kernels), sum \(i)")
            // A rounding of a 16-bit result, or those of the sums.
            let error = found[i].error(from: oracle[i])
            worst = max(worst, error)
            #expect(error <= (sum.dtype == .bfloat16 ? 0x1p-8 : sum.dtype == .float16 ? 0x1p-10 : 4e-5), "sum \(i)")
        }
        print("\(kernels), together: max error \(worst)")
        #expect(worst > 0)
        #expect(Tensor.sumsOfProducts([]).isEmpty)
    }

    @Test(arguments: MatrixKernels.available) func quantized(kernels: MatrixKernels) {
        Device.withBackend(CPUBackend(matrixKernels: kernels)) {
            for rows in [1, 33] {
                for type in Self.types {
                    let x = Self.numbers([rows, 512], 1, type)
                    let sums = [QuantizationFormat.q40, .q6K, .float8E4M3].enumerated().map { place, format in
                        let weight = QuantizedMatrix(.sample([45 + place, 512], format, seed: UInt64(place + 1)))
                        return ProductSum(
                            [ProductTerm(x, .quantized(weight.transposed()))], bias: .sample([45 + place], seed: 9),
                            dtype: .bfloat16)
                    }
                    let expanded = sums.map { sum in
                        ProductSum(
                            sum.terms.map { ProductTerm($0.a, $0.expandedFactor) }, bias: sum.bias, dtype: sum.dtype)
                    }
                    for (found, wanted) in zip(Tensor.sumsOfProducts(sums), expanded.map(Self.alone)) {
                        #expect(found.isIdentical(to: wanted), "\(kernels) \(rows) \(type)")
                    }
                }
            }
        }
    }

    /// Rows that are packed in several blocks, and more of them than are packed at a time.
    @Test(arguments: MatrixKernels.available) func manyPackedRows(kernels: MatrixKernels) {
        let sums = [700, 600, 64, 610].enumerated().map { place, m in
            let a = Self.numbers([5000, m], UInt64(place + 1), .float32).transposed()
            return ProductSum([ProductTerm(a, Self.numbers([5000, 3 + 8 * place], 9, .float32))], dtype: .float32)
        }
        Device.withBackend(CPUBackend(matrixKernels: kernels)) {
            for (found, wanted) in zip(Tensor.sumsOfProducts(sums), sums.map(Self.alone)) {
                #expect(found.isIdentical(to: wanted), "\(kernels)")
            }
        }
    }

    @Test(arguments: [CPUBackend.Engine.blas, .plain]) func otherEngines(engine: CPUBackend.Engine) {
        let sums = Self.mixedSums()
        Device.withBackend(CPUBackend(engine: engine)) {
            for (found, wanted) in zip(Tensor.sumsOfProducts(sums), sums.map(Self.alone)) {
                #expect(found.isIdentical(to: wanted))
            }
        }
    }

    /// In a process of its own, since the number of threads is one for the process.
    @Test func threadsDoNotMatter() async {
        await #expect(processExitsWith: .success) {
            // Modulations and their gradients: shared among threads inside one product or another, along either side.
            let x = Self.numbers([32, 256], 1, .bfloat16)
            let slopes = [768, 1536, 40, 512].map { Self.numbers([32, $0], 2, .bfloat16) }
            let sums =
                slopes.enumerated().map { place, slopes in
                    let weight = Self.numbers([slopes.shape[1], 256], UInt64(place + 3), .bfloat16)
                    return ProductSum([ProductTerm(x, weight.transposed())], dtype: .bfloat16)
                } + slopes.map { ProductSum([ProductTerm($0.transposed(), x)], dtype: .float32) } + Self.mixedSums()
            for kernels in MatrixKernels.available {
                Device.withBackend(CPUBackend(matrixKernels: kernels)) {
                    Threads.set(1)
                    let alone = sums.map(Self.alone)
                    for count in [1, 2, 3, 7] {
                        Threads.set(count)
                        for (i, found) in Tensor.sumsOfProducts(sums).enumerated() {
                            #expect(found.isIdentical(to: alone[i]), "\(kernels), sum \(i), \(count) threads")
                        }
                    }
                }
            }
        }
    }
}
