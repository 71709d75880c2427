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

    /// Products that oneDNN is chosen for, in the layouts that choose it, and one that lays its second operand out first.
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
                let kept = PackedWeight()
                func convolved(_ weight: Tensor, _ packed: PackedWeight?) -> Tensor {
                    let stages = ConvolutionStages(upsampling: upsampling, packedWeight: packed)
                    return x.convolution(weight: weight, bias: nil, options: options, stages: stages)
                }
                for weight in [weights[0], weights[0], weights[1], weights[0]] {
                    #expect(convolved(weight, kept).isIdentical(to: convolved(weight, nil)))
                    // Four sums of 2 x 2 for a repeated pixel.
                    let elements = 16 * 128 * (upsampling == 1 ? 9 : 16)
                    #expect(kept.byteCount == (OneDNNTests.isChosen ? elements * dtype.byteCount : 0))
                }
                #expect(!convolved(weights[0], nil).isIdentical(to: convolved(weights[1], nil)))
                MemoryAccount.releasesWeights = true
                #expect(convolved(weights[1], kept).isIdentical(to: convolved(weights[1], nil)))
                #expect(kept.byteCount == 0)
                MemoryAccount.releasesWeights = false
            }
        }
        #expect(result?.standardErrorContent.isEmpty ?? false)
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
