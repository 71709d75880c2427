import Foundation
import TensorCore
import TestSupport
import Testing

/// What oneDNN computes, asked for by engine or chosen for its speed, against the plain engine's double-precision sums.
@Suite struct OneDNNTests {
    private let library = CPUBackend(engine: .oneDNN)
    private let oracle = CPUBackend(engine: .plain)

    /// Whether the kernels in force leave anything to oneDNN.
    private static let isChosen = [.avx512, .avx512bf16, .amx].contains(MatrixKernels.current)

    @Test func linksAVersionThatItKnows() {
        #expect(OneDNN.isUsable)
        let parts = OneDNN.version.split(separator: ".").compactMap { Int($0) }
        #expect(parts.count == 3 && parts[0] >= 2)
    }

    /// Sums of products with bias, addend and the function that follows; odd extents; float32 and bfloat16.
    @Test(arguments: [DType.float32, .bfloat16]) func sumsOfProducts(dtype: DType) {
        var worst = 0.0
        for (m, n, k) in [(1, 1, 1), (3, 17, 127), (127, 3, 17), (17, 127, 1), (130, 65, 33), (5, 4, 0), (0, 3, 2)] {
            let terms = [(k, 1), (3, 3)].map { depth, seed in
                ProductTerm(
                    Tensor.sample([m, depth], seed: seed).converted(to: dtype),
                    Tensor.sample([n, depth], seed: seed + 1).converted(to: dtype).transposed())
            }
            let (addend, bias) = (Tensor.sample([m, n], seed: 6).converted(to: dtype), Tensor.sample([n], seed: 7))
            func check(_ found: Tensor, _ expected: Tensor) {
                #expect(found.shape == [m, n] && found.dtype == dtype)
                // Half a unit in the last place of numbers below 2^6 besides the sums' own roundings.
                let error = found.converted(to: .float32).error(from: expected.converted(to: .float32))
                let tolerance = dtype == .float32 ? 1e-6 : 0x1p-6
                worst = max(worst, error / tolerance)
                #expect(error <= tolerance, "\(m), \(n), \(k): \(error)")
            }
            for some in [terms, [terms[0]]] {
                check(
                    library.sumOfProducts(some, addend: addend, bias: bias, dtype: dtype),
                    oracle.sumOfProducts(some, addend: addend, bias: bias, dtype: .float32))
                for activation in [UnaryOperation.gelu, .geluTanh, .silu] {
                    for keepsSums in [false, true] {
                        let found = library.activatedProducts(
                            some, bias: bias, activation: activation, keepsSums: keepsSums, dtype: dtype)
                        let expected = oracle.activatedProducts(
                            some, bias: bias, activation: activation, keepsSums: keepsSums, dtype: .float32)
                        check(found.activated, expected.activated)
                        #expect((found.sums != nil) == keepsSums)
                        if keepsSums { check(found.sums!, expected.sums!) }
                    }
                }
            }
        }
        print("sums of products by oneDNN, \(dtype): at most \(worst) of the tolerance")
        #expect(worst > 0)
    }

    /// Products of `float32` that oneDNN is chosen for, the same in `bfloat16`, which are ours, and one that lays its second
    /// operand out first.
    @Test(arguments: [DType.float32, .bfloat16]) func gradientsOfWeights(dtype: DType) {
        var worst = 0.0
        for (m, n, k) in [(17, 33, 1027), (129, 70, 1024), (1025, 65, 1029)] {
            let a = Tensor.sample([k, m], seed: 1).converted(to: dtype).transposed()
            let b = Tensor.sample([k, n], seed: 2).converted(to: dtype)
            let expected = oracle.matrixProduct(a, b, bias: nil, dtype: .float32)
            for type in [DType.float32, dtype] {
                let found = [
                    CPUBackend().matrixProduct(a, b, bias: nil, dtype: type),
                    library.matrixProduct(a, b, bias: nil, dtype: type),
                    OneDNN.product(a, b, dtype: type, packedWeight: PackedWeight()),
                ]
                if OneDNNTests.isChosen && dtype == .float32 {
                    // The same blocks by the same code, bit for bit; sums of ours are in another order.
                    let ours = CPUBackend(leavesSomeToOneDNN: false).matrixProduct(a, b, bias: nil, dtype: type)
                    #expect(found[0].isIdentical(to: found[1]) && !found[0].isIdentical(to: ours))
                }
                for result in found {
                    let error = result.converted(to: .float32).error(from: expected)
                    // Half a unit in the last place of numbers below 2^6 where the result is rounded.
                    let tolerance = type == .float32 ? 3e-5 : 0x1p-3
                    worst = max(worst, error / tolerance)
                    #expect(error <= tolerance, "\(m), \(n), \(k), \(type): \(error)")
                }
            }
        }
        print("gradients of weights by oneDNN, \(dtype): at most \(worst) of the tolerance")
        #expect(worst > 0)
    }

    /// A frozen weight is laid out once where memory allows, each time where it is short, and anew for another weight; the
    /// result is the same, bit for bit.
    @Test(arguments: [DType.float32, .bfloat16]) func weightsAreKept(dtype: DType) async {
        let result = await #expect(processExitsWith: .success, observing: [\.standardErrorContent]) { [dtype] in
            let options = ConvolutionOptions(padding: 1)
            let x = Tensor.sample([1, 128, 9, 12], seed: 1).converted(to: dtype)
            let weights = [2, 3].map { Tensor.sample([16, 128, 3, 3], seed: $0).converted(to: dtype) }
            for upsampling in [1, 2] {
                let kept = WeightCache()
                func convolved(_ weight: Tensor, _ cache: WeightCache?) -> Tensor {
                    let stages = ConvolutionStages(upsampling: upsampling, weightCache: cache)
                    return x.convolution(weight: weight, bias: nil, options: options, stages: stages)
                }
                for weight in [weights[0], weights[0], weights[1], weights[0]] {
                    #expect(convolved(weight, kept).isIdentical(to: convolved(weight, nil)))
                    // Four sums of 2 x 2 for a repeated pixel.
                    let elements = 16 * 128 * (upsampling == 1 ? 9 : 16)
                    let isChosen =
                        OneDNNTests.isChosen && (dtype == .float32 || MatrixKernels.current != .avx512)
                    #expect(bytes(in: kept) == (isChosen ? elements * dtype.byteCount : 0))
                }
                #expect(!convolved(weights[0], nil).isIdentical(to: convolved(weights[1], nil)))
                kept.clear()
                #expect(bytes(in: kept) == 0)
            }
        }
        #expect(result?.standardErrorContent.isEmpty ?? false)
    }

    /// Rows of an image, from no more of it than they see, are those of the whole, bit for bit: by bands of other heights,
    /// which are other shapes to oneDNN.
    @Test(arguments: [DType.float32, .bfloat16]) func windowsAreThoseOfTheWhole(dtype: DType) {
        let x = Tensor.sample([1, 256, 70, 24], seed: 1).converted(to: dtype)
        let w = Tensor.sample([32, 256, 3, 3], seed: 2).converted(to: dtype)
        let options = ConvolutionOptions(padding: 1)
        let whole = x.convolution(weight: w, bias: nil, options: options)
        for window in [0..<1, 0..<13, 5..<12, 11..<55, 33..<70, 66..<70, 69..<70] {
            let rows = max(0, window.lowerBound - 1)..<min(70, window.upperBound + 1)
            let stages = ConvolutionStages(window: .init(rows: window, firstRow: rows.lowerBound))
            let part = x.sliced(axis: 2, rows).convolution(weight: w, bias: nil, options: options, stages: stages)
            #expect(part.isIdentical(to: whole.sliced(axis: 2, window)), "\(window)")
        }
    }

    /// Weights that view one storage are told apart.
    @Test func viewsAreNotConfused() {
        let both = Tensor.sample([32, 128, 3, 3], seed: 1)
        let (x, kept) = (Tensor.sample([1, 128, 9, 12], seed: 2), WeightCache())
        for part in [0..<16, 16..<32] {
            let weight = both.sliced(axis: 0, part)
            let stages = ConvolutionStages(weightCache: kept)
            let found = x.convolution(weight: weight, bias: nil, options: .init(padding: 1), stages: stages)
            #expect(found.isIdentical(to: x.convolution(weight: weight, bias: nil, options: .init(padding: 1))))
        }
        kept.clear()
        #expect(bytes(in: kept) == 0)
    }

    /// No instructions beyond those of the kernels in force, where `DIPTYCH_ISA` avoids them: the chosen code says which.
    @Test func instructionsAreAvoided() async {
        _ = await #expect(processExitsWith: .success) {
            guard MatrixKernels.available.contains(.avx2) else { return }
            setenv("DIPTYCH_ISA", "avx2", 1)
            let (a, b) = (Tensor.sample([65, 70], seed: 1), Tensor.sample([70, 130], seed: 2))
            for dtype in [DType.float32, .bfloat16] {
                let (x, y) = (a.converted(to: dtype), b.converted(to: dtype))
                let found = CPUBackend(engine: .oneDNN).matrixProduct(x, y, bias: nil, dtype: .float32)
                let oracle = CPUBackend(engine: .plain).matrixProduct(x, y, bias: nil, dtype: .float32)
                #expect(found.error(from: oracle) < 1e-5)
            }
            #expect(MatrixKernels.current == .avx2 && !OneDNN.code.contains("avx512"), "\(OneDNN.code)")
        }
    }

    /// Bands and blocks do not depend on the threads that share them.
    @Test func threadsDoNotMatter() async {
        _ = await #expect(processExitsWith: .success) {
            for dtype in [DType.float32, .bfloat16] {
                let x = Tensor.sample([2, 128, 37, 19], seed: 1).converted(to: dtype)
                let w = Tensor.sample([48, 128, 3, 3], seed: 2).converted(to: dtype)
                let a = Tensor.sample([1100, 1030], seed: 3).converted(to: dtype).transposed()
                let b = Tensor.sample([1100, 96], seed: 4).converted(to: dtype)
                func results() -> [Tensor] {
                    [
                        x.convolution(weight: w, bias: nil, options: .init(padding: 1)),
                        a.matrixProduct(b), CPUBackend(engine: .oneDNN).matrixProduct(a, b, bias: nil, dtype: dtype),
                    ]
                }
                Threads.set(1)
                let alone = results()
                for count in [2, 3, 7] {
                    Threads.set(count)
                    for (one, other) in zip(alone, results()) {
                        #expect(one.isIdentical(to: other), "\(count) threads")
                    }
                }
            }
        }
    }

    /// oneDNN starts no threads: as many are there after its work as before.
    @Test func startsNoThreads() async {
        _ = await #expect(processExitsWith: .success) {
            func threads() throws -> Int {
                try FileManager.default.contentsOfDirectory(atPath: "/proc/self/task").count
            }
            Threads.set(2)
            let a = Tensor.sample([512, 512], seed: 1)
            _ = a.matrixProduct(a)
            let before = try threads()
            for _ in 0..<3 { _ = CPUBackend(engine: .oneDNN).matrixProduct(a, a, bias: nil, dtype: .float32) }
            #expect(try threads() == before)
        }
    }
}

/// What the CPU keeps in a cache.
private func bytes(in cache: WeightCache) -> Int { cache.content { PackedWeight() }.byteCount }
