import Glibc
import TensorCore
import TestSupport
import Testing

/// Every set of kernels that the processor runs against the plain engine, which sums in double precision.
@Suite struct MatrixKernelsTests {
    private static let extents = [1, 3, 4, 5, 17, 33, 127]
    private static let types: [DType] = [.float32, .bfloat16, .float16]
    private let plain = CPUBackend(engine: .plain)

    /// The largest difference that summing `k` products of numbers up to 1 in `float32` may make: the sums here stay
    /// below 2 sqrt(k), each of the k roundings below 2^-24 of that, and they add up like sqrt(k) of them.
    private func bound(_ k: Int) -> Double { 1e-6 + 0x1p-24 * 2 * Double(k) }

    /// The difference element by element, relative only to `scale`.
    private func difference(_ a: Tensor, _ b: Tensor) -> Double {
        precondition(a.shape == b.shape)
        return zip(a.floats, b.floats).reduce(0) { worst, pair in
            // A NaN must not vanish in a maximum.
            let distance = abs(Double(pair.0) - Double(pair.1))
            return distance <= worst ? worst : distance.isNaN ? .infinity : distance
        }
    }

    /// Odd extents, each type with each, every layout, bias and 16-bit results.
    @Test(arguments: MatrixKernels.available) func oddExtents(kernels: MatrixKernels) {
        let fast = CPUBackend(engine: .kernels, matrixKernels: kernels)
        var worst = 0.0
        var turn = 0
        for m in Self.extents {
            for n in Self.extents {
                for k in [1, 2, 15, 33, 127] {
                    turn += 1
                    let (left, right) = (Self.types[turn % 3], Self.types[turn / 3 % 3])
                    let a = (Tensor.sample([m, k], seed: 1) * 0.9).converted(to: left)
                    let b = (Tensor.sample([k, n], seed: 2) * 1.1).converted(to: right)
                    let bias = Tensor.sample([n], seed: 3)
                    let oracle = Device.withBackend(plain) { a.matrixProduct(b, bias: bias, dtype: .float32) }
                    for layout in Layout.allCases {
                        let (u, v) = (a.laidOut(layout), b.laidOut(layout))
                        let found = Device.withBackend(fast) {
                            [
                                u.matrixProduct(v, bias: bias, dtype: .float32),
                                u.transposed().copied().matrixProduct(
                                    v, transposingSelf: true, bias: bias, dtype: .float32),
                                u.matrixProduct(
                                    v.transposed().copied(), transposingOther: true, bias: bias, dtype: .float32),
                            ]
                        }
                        for result in found {
                            let error = difference(result, oracle)
                            worst = max(worst, error / bound(k))
                            #expect(error <= bound(k), "\(kernels): \(m) \(k) \(n) \(left) \(right) \(layout)")
                        }
                        let rounded = Device.withBackend(fast) { u.matrixProduct(v, bias: bias, dtype: .bfloat16) }
                        #expect(rounded.isIdentical(to: found[0].converted(to: .bfloat16)))
                    }
                }
            }
        }
        print("\(kernels): at most \(worst) of the bound")
        #expect(worst > 0)
    }

    /// More than one block of k, of rows and of columns; the bound for `bfloat16` operands is that for `float32`,
    /// because their products are exact and only the sums round.
    @Test(arguments: MatrixKernels.available) func severalBlocks(kernels: MatrixKernels) {
        let fast = CPUBackend(engine: .kernels, matrixKernels: kernels)
        for (m, k, n) in [(17, 2100, 131), (2, 1500, 1030), (1030, 1500, 3), (700, 5000, 33)] {
            for type in [DType.float32, .bfloat16] {
                let a = Tensor.sample([m, k], seed: 1).converted(to: type)
                let b = Tensor.sample([n, k], seed: 2).converted(to: type)
                let oracle = Device.withBackend(plain) { a.matrixProduct(b, transposingOther: true, dtype: .float32) }
                let lines = b.transposed().copied()
                let (turned, straight) = Device.withBackend(fast) {
                    (
                        a.matrixProduct(b, transposingOther: true, dtype: .float32),
                        a.matrixProduct(lines, dtype: .float32)
                    )
                }
                for found in [turned, straight] {
                    let error = difference(found, oracle)
                    print("\(kernels), \(m) x \(k) x \(n) \(type): max difference \(error)")
                    #expect(error <= bound(k))
                }
            }
        }
    }

    /// Few columns or a short sum, as adapters have them: tiles of half a panel, k of half a vector, several blocks of k;
    /// results of 16 bits are those of 32, rounded.
    @Test(arguments: MatrixKernels.available) func narrowProducts(kernels: MatrixKernels) {
        let fast = CPUBackend(engine: .kernels, matrixKernels: kernels)
        var worst = 0.0
        for m in [5, 14, 57] {
            for n in [8, 16, 24, 48, 96, 272] {
                for k in [8, 16, 32, 1040, 2112] {
                    for type in [DType.float32, .bfloat16] {
                        let a = Tensor.sample([m, k], seed: 1).converted(to: type)
                        let b = Tensor.sample([n, k], seed: 2).converted(to: type)
                        let bias = k % 3 == 0 ? nil : Tensor.sample([n], seed: 3)
                        let oracle = Device.withBackend(plain) {
                            a.matrixProduct(b, transposingOther: true, bias: bias, dtype: .float32)
                        }
                        for right in [b.transposed(), b.transposed().copied()] {
                            let (wide, rounded) = Device.withBackend(fast) {
                                (
                                    a.matrixProduct(right, bias: bias, dtype: .float32),
                                    a.matrixProduct(right, bias: bias, dtype: .bfloat16)
                                )
                            }
                            worst = max(worst, difference(wide, oracle) / bound(k))
                            #expect(difference(wide, oracle) <= bound(k), "\(kernels): \(m) \(n) \(k) \(type)")
                            #expect(rounded.isIdentical(to: wide.converted(to: .bfloat16)))
                        }
                    }
                }
            }
        }
        print("\(kernels), narrow: at most \(worst) of the bound")
        #expect(worst > 0)
        // Infinity and NaN are rounded as such.
        var values = [Float](repeating: 0, count: 8 * 16)
        values[0] = .infinity
        values[16] = .nan
        let ones = Tensor(full: [16, 32], 1, dtype: .bfloat16)
        let found = Device.withBackend(fast) {
            Tensor(values, [8, 16]).converted(to: .bfloat16).matrixProduct(ones, dtype: .bfloat16).floats
        }
        #expect(found[0] == .infinity && found[31] == .infinity && found[32].isNaN && found[63].isNaN)
        #expect(found[64...].allSatisfy { $0 == 0 })
    }

    /// Sums of several products with addends of any type, by blocks of k and by pieces, every type of result.
    @Test(arguments: MatrixKernels.available) func sumsOfProducts(kernels: MatrixKernels) {
        let fast = CPUBackend(engine: .kernels, matrixKernels: kernels)
        var worst = 0.0
        var turn = 0
        for (m, n) in [(1, 33), (17, 3), (17, 32), (33, 127), (96, 64), (127, 300)] {
            for depths in [[1], [32, 7], [2100, 64, 33], [64, 1, 2, 127], Array(repeating: 5, count: 20)] {
                turn += 1
                let terms = depths.enumerated().map { place, k in
                    // As they lie, transposed, and of another type.
                    let (a, b) = (Tensor.sample([m, k], seed: 1), Tensor.sample([n, k], seed: 2))
                    let type = Self.types[(turn + place) % 3]
                    return ProductTerm(
                        a.converted(to: type),
                        place == 1
                            ? b.transposed().copied().converted(to: type) : b.converted(to: .bfloat16).transposed())
                }
                let addend = turn % 4 == 0 ? nil : Tensor.sample([m, n], seed: 3).converted(to: Self.types[turn % 3])
                let bias = turn % 2 == 0 ? nil : Tensor.sample([n], seed: 4)
                let oracle = Device.withBackend(plain) {
                    Tensor.sumOfProducts(terms, addend: addend, bias: bias, dtype: .float32)
                }
                let found = Device.withBackend(fast) {
                    Tensor.sumOfProducts(terms, addend: addend, bias: bias, dtype: .float32)
                }
                let limit = bound(depths.reduce(4, +))
                worst = max(worst, difference(found, oracle) / limit)
                #expect(difference(found, oracle) <= limit, "\(kernels): \(m) \(n) \(depths)")
                for type in [DType.bfloat16, .float16] {
                    let rounded = Device.withBackend(fast) {
                        Tensor.sumOfProducts(terms, addend: addend, bias: bias, dtype: type)
                    }
                    #expect(rounded.isIdentical(to: found.converted(to: type)))
                }
            }
        }
        print("\(kernels), sums of products: at most \(worst) of the bound")
        #expect(worst > 0)
    }

    /// Rows 4096 bytes apart, which share sets of the first-level cache: alone and beside others, for few columns and for
    /// many, with several blocks of k.
    @Test(arguments: MatrixKernels.available) func crowdedRows(kernels: MatrixKernels) {
        let fast = CPUBackend(engine: .kernels, matrixKernels: kernels)
        var worst = 0.0
        for type in [DType.float32, .bfloat16] {
            let step = 4096 / type.byteCount
            for (m, k) in [(1, 64), (9, 64), (31, 1024), (45, 2048)] {
                let rows = Tensor.sample([m, max(step, k)], seed: 1).converted(to: type).sliced(axis: 1, 0..<k)
                let loose = Tensor.sample([m, 48], seed: 2).converted(to: type)
                for n in [16, 47, 256, 300] {
                    let b = Tensor.sample([n, k], seed: 3).converted(to: type).transposed()
                    let other = Tensor.sample([48, n], seed: 4).converted(to: type)
                    let addend = Tensor.sample([m, n], seed: 5).converted(to: type)
                    for terms in [
                        [ProductTerm(rows, b)], [ProductTerm(loose, other), ProductTerm(rows, b)],
                        [ProductTerm(rows, b), ProductTerm(loose, other), ProductTerm(rows, b)],
                    ] {
                        let (oracle, found, rounded) = (
                            Device.withBackend(plain) {
                                Tensor.sumOfProducts(terms, addend: addend, dtype: .float32)
                            },
                            Device.withBackend(fast) { Tensor.sumOfProducts(terms, addend: addend, dtype: .float32) },
                            Device.withBackend(fast) { Tensor.sumOfProducts(terms, addend: addend, dtype: .bfloat16) }
                        )
                        let limit = bound(2 * k + 48)
                        worst = max(worst, difference(found, oracle) / limit)
                        #expect(difference(found, oracle) <= limit, "\(kernels): \(m) \(k) \(n) \(type)")
                        #expect(rounded.isIdentical(to: found.converted(to: .bfloat16)))
                    }
                }
            }
        }
        print("\(kernels), crowded rows: at most \(worst) of the bound")
        #expect(worst > 0)
    }

    /// A function applied before the product is written gives what it gives afterwards, bit for bit.
    @Test(arguments: MatrixKernels.available) func activatedProducts(kernels: MatrixKernels) {
        let fast = CPUBackend(engine: .kernels, matrixKernels: kernels)
        for (m, k, n) in [(1, 33, 5), (17, 64, 3), (33, 127, 47), (64, 2100, 96), (0, 3, 4)] {
            for type in [DType.float32, .bfloat16] {
                let a = Tensor.sample([m, k], seed: 1).converted(to: type)
                let b = Tensor.sample([k, n], seed: 2).converted(to: type)
                let bias = Tensor.sample([n], seed: 3)
                for function in [UnaryOperation.geluTanh, .gelu, .quickGelu, .silu, .tanh] {
                    for result in [DType.float32, .bfloat16, .float16] {
                        let (sums, found, alone) = Device.withBackend(fast) {
                            (
                                Tensor.sumOfProducts([ProductTerm(a, b)], bias: bias, dtype: .float32),
                                Tensor.activatedProducts(
                                    [ProductTerm(a, b)], bias: bias, activation: function, keepsSums: true,
                                    dtype: result),
                                Tensor.activatedProducts(
                                    [ProductTerm(a, b)], bias: bias, activation: function, dtype: result)
                            )
                        }
                        let expected = Device.withBackend(fast) { sums.applying(function).converted(to: result) }
                        #expect(found.activated.isIdentical(to: expected), "\(kernels) \(m) \(k) \(n) \(function)")
                        #expect(found.sums?.isIdentical(to: sums.converted(to: result)) == true)
                        #expect(alone.activated.isIdentical(to: expected) && alone.sums == nil)
                    }
                }
            }
        }
    }

    /// Activations in `float32` are never rounded to the type of a `bfloat16` weight.
    @Test(arguments: MatrixKernels.available) func wideActivationsStayWide(kernels: MatrixKernels) {
        let x = Tensor.sample([40, 96], seed: 1) * 0.7
        let weight = Tensor.sample([80, 96], seed: 2).converted(to: .bfloat16)
        Device.withBackend(CPUBackend(engine: .kernels, matrixKernels: kernels)) {
            let wide = x.matrixProduct(weight.converted(to: .float32), transposingOther: true)
            #expect(x.matrixProduct(weight, transposingOther: true).isIdentical(to: wide))
            let back = wide.matrixProduct(weight.converted(to: .float32))
            #expect(wide.matrixProduct(weight).isIdentical(to: back))
        }
    }

    /// Infinities and NaN stay what they are, and only in their rows and columns.
    @Test(arguments: MatrixKernels.available) func specialNumbers(kernels: MatrixKernels) {
        for type in Self.types {
            var values = [Float](repeating: 1, count: 20 * 40)
            values[3 * 40 + 39] = .infinity
            values[7 * 40] = .nan
            let a = Tensor(values, [20, 40]).converted(to: type)
            let b = Tensor(full: [40, 19], 0.5, dtype: type)
            Device.withBackend(CPUBackend(engine: .kernels, matrixKernels: kernels)) {
                let found = a.matrixProduct(b, dtype: .float32).floats
                for i in 0..<20 {
                    for j in 0..<19 {
                        let value = found[i * 19 + j]
                        #expect(i == 3 ? value == .infinity : i == 7 ? value.isNaN : value == 20)
                    }
                }
            }
        }
    }

    /// Batches whose matrices are strided views, as attention has them.
    @Test(arguments: MatrixKernels.available) func heads(kernels: MatrixKernels) {
        for type in Self.types {
            let q = Tensor.sample([2, 37, 3, 20], seed: 1).converted(to: type).permuted([0, 2, 1, 3])
            let k = Tensor.sample([1, 41, 3, 20], seed: 2).converted(to: type).permuted([0, 2, 1, 3])
            let oracle = Device.withBackend(plain) { q.matrixProduct(k, transposingOther: true, dtype: .float32) }
            let found = Device.withBackend(CPUBackend(engine: .kernels, matrixKernels: kernels)) {
                q.matrixProduct(k, transposingOther: true, dtype: .float32)
            }
            #expect(difference(found, oracle) <= bound(20))
        }
    }

    @Test(arguments: MatrixKernels.available) func extentsOfNothing(kernels: MatrixKernels) {
        Device.withBackend(CPUBackend(engine: .kernels, matrixKernels: kernels)) {
            let bias = Tensor.sample([20], seed: 1)
            for type in Self.types {
                func empty(_ shape: Shape) -> Tensor { Tensor(zeros: shape, dtype: type) }
                #expect(empty([0, 30]).matrixProduct(empty([30, 20])).shape == [0, 20])
                #expect(empty([30, 20]).matrixProduct(empty([20, 0])).shape == [30, 0])
                for rows in [1, 10] {
                    let sum = empty([rows, 0]).matrixProduct(empty([0, 20]), bias: bias, dtype: .float32)
                    #expect(sum.isIdentical(to: bias.expanded(to: [rows, 20]).copied()))
                }
                #expect(empty([3, 0, 30]).matrixProduct(empty([30, 20])).shape == [3, 0, 20])
            }
        }
    }

    /// In a process of its own, since the number of threads is one for the process.
    @Test func threadsDoNotMatter() async {
        await #expect(processExitsWith: .success) {
            for kernels in MatrixKernels.available {
                Device.withBackend(CPUBackend(engine: .kernels, matrixKernels: kernels)) {
                    for (m, k, n) in [
                        (300, 700, 200), (1, 3000, 3000), (3000, 2000, 2), (5, 1200, 900), (2000, 300, 9),
                    ] {
                        for type in [DType.float32, .bfloat16] {
                            let a = (Tensor.sample([m, k], seed: 1) * 0.9).converted(to: type)
                            let b = (Tensor.sample([k, n], seed: 2) * 1.1).converted(to: type)
                            Threads.set(1)
                            let alone = a.matrixProduct(b, dtype: .float32)
                            for count in [2, 3, 7] {
                                Threads.set(count)
                                let shared = a.matrixProduct(b, dtype: .float32)
                                #expect(shared.isIdentical(to: alone), "\(kernels), \(m) \(k) \(n), \(count) threads")
                            }
                        }
                    }
                }
            }
        }
    }
}
