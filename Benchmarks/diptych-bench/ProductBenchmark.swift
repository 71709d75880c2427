import ArgumentParser
import Foundation
import TensorCore

/// `diptych-bench products`: matrix products of the shapes that transformers and adapters give, by our kernels and by
/// OpenBLAS in turns.
struct ProductBenchmark: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "products", abstract: "Rates of matrix products by our kernels and by OpenBLAS, in GFLOP/s.")

    @Option(help: "Counted rounds; every round takes each contender once.")
    var reps = 7

    @Option(help: "Threads; 0 for one a processor.")
    var threads = 0

    @Flag(help: "Only products with quantised weights.")
    var quantizedOnly = false

    @Flag(help: "Only the modulations of all blocks.")
    var modulationsOnly = false

    func validate() throws {
        guard reps > 0, threads >= 0 else {
            throw ValidationError("--reps must be positive, --threads must not be negative")
        }
    }

    /// What a product is for, and whether it reads its operands transposed.
    private struct Case {
        let purpose: String
        let m: Int, n: Int, k: Int
        var isLeftTransposed = false
        var isRightTransposed = false
    }

    /// x W^T, dy W and dy^T x of a linear layer.
    private static func layer(_ tokens: Int, _ input: Int, _ output: Int) -> [Case] {
        [
            Case(purpose: "x Wt", m: tokens, n: output, k: input, isRightTransposed: true),
            Case(purpose: "dy W", m: tokens, n: input, k: output),
            Case(purpose: "dyt x", m: output, n: input, k: tokens, isLeftTransposed: true),
        ]
    }

    private static var cases: [Case] {
        // The layers and adapters of the nano base at 32 samples of 64 tokens, then wider ones.
        var list = layer(2048, 256, 256) + layer(2048, 256, 1024) + layer(2048, 1280, 256)
        list += layer(2048, 256, 32) + layer(2048, 32, 256) + layer(512, 384, 1536)
        // Modulation vectors: of a single block, of a stream of a double block, and of all blocks at once.
        list += layer(32, 256, 768) + layer(32, 256, 1536) + layer(32, 256, 9728)
        list += layer(512, 1536, 1536) + layer(512, 3072, 9216)
        for rank in [4, 16, 64, 128] { list += layer(512, 1536, rank) + layer(512, rank, 1536) }
        list += [
            Case(purpose: "q kt", m: 512, n: 512, k: 64, isRightTransposed: true),
            Case(purpose: "p v", m: 512, n: 64, k: 512),
            Case(purpose: "one row", m: 1, n: 9216, k: 1536, isRightTransposed: true),
            Case(purpose: "one row", m: 1, n: 1536, k: 9216),
        ]
        return list
    }

    func run() {
        Threads.set(threads)
        let blas = CPUBackend(engine: .blas)
        let kernels = CPUBackend()
        print(
            "\(kernels.name), OpenBLAS as \(CPUBackend.blasCoreName), \(Threads.count) threads, best of \(reps) in turns"
        )
        let rates = [false, true].map { kernels.matrixKernels.probedRate(narrow: $0) / 1e9 }
        print(
            String(format: "probed in the first-level cache: float32 %.0f, bfloat16 %.0f GFLOP/s", rates[0], rates[1]))
        print(
            "GFLOP/s              m     n     k  OpenBLAS f32   f32  f32 x bf16  bf16   f32 / OpenBLAS  bf16 us  bf16 share"
        )
        let measuresAll = !quantizedOnly && !modulationsOnly
        if measuresAll { for item in Self.cases { measure(item, blas, kernels) } }
        if !quantizedOnly { measureModulations(kernels) }
        if !modulationsOnly { measureQuantized(kernels) }
    }

    /// The modulation vectors of all blocks and their gradients: block by block, all weights joined (a copy that is not
    /// counted), and together as they lie; the inputs' gradients one by one are not yet added up. Microseconds, the median of all rounds, in turns.
    private func measureModulations(_ kernels: CPUBackend) {
        // Two streams of a double block, single blocks and the end; of FLUX as many blocks as fit a benchmark.
        let models: [(name: String, batch: Int, width: Int, vectors: [Int])] = [
            ("nano", 32, 256, [6, 6, 6, 6, 3, 3, 3, 3, 2]),
            ("nano, one sample", 1, 256, [6, 6, 6, 6, 3, 3, 3, 3, 2]),
            ("mid", 1, 1536, [6, 6, 6, 6, 3, 3, 3, 3, 2]),
            ("FLUX, two blocks", 1, 3072, [6, 6, 3, 2]),
        ]
        print("\nmodulations, bfloat16, us          one by one    joined  together  one by one / together")
        for model in models {
            var random = Random(seed: 1)
            func randn(_ rows: Int, _ columns: Int) -> Tensor {
                random.randn([rows, columns]).converted(to: .bfloat16)
            }
            let width = model.width
            let x = randn(model.batch, width)
            let weights = model.vectors.map { randn($0 * width, width) }
            let slopes = model.vectors.map { randn(model.batch, $0 * width) }
            let (weight, slope) = (Tensor.concatenated(weights, axis: 0), Tensor.concatenated(slopes, axis: 1))
            func sums(_ terms: [ProductTerm], _ dtype: DType) -> [ProductSum] {
                terms.map { ProductSum([$0], dtype: dtype) }
            }
            let forward = sums(weights.map { ProductTerm(x, $0.transposed()) }, .bfloat16)
            let back = zip(slopes, weights).map { ProductTerm($0, $1) }
            let trained = sums(slopes.map { ProductTerm($0.transposed(), x) }, .float32)
            func each(_ sums: [ProductSum]) -> () -> Void {
                // All results are kept to the end, as a step keeps them.
                { _ = sums.map { Tensor.sumOfProducts($0.terms, dtype: $0.dtype) } }
            }
            let cases: [(name: String, ways: [() -> Void])] = [
                (
                    "x Wt",
                    [
                        each(forward), { _ = x.matrixProduct(weight, transposingOther: true) },
                        { _ = Tensor.sumsOfProducts(forward) },
                    ]
                ),
                (
                    "dy W",
                    [
                        each(sums(back, .bfloat16)), { _ = slope.matrixProduct(weight) },
                        { _ = Tensor.sumOfProducts(back, dtype: .bfloat16) },
                    ]
                ),
                (
                    "dyt x",
                    [
                        each(trained), { _ = slope.matrixProduct(x, transposingSelf: true, dtype: .float32) },
                        { _ = Tensor.sumsOfProducts(trained) },
                    ]
                ),
            ]
            for (name, ways) in cases {
                var seconds = [[Double]](repeating: [], count: ways.count)
                Device.withBackend(kernels) {
                    for round in 0...10 * reps {
                        for (place, way) in ways.enumerated() {
                            // Once before it counts: memory of the sizes that it asks for is there then.
                            way()
                            let begin = ContinuousClock.now
                            way()
                            if round > 0 { seconds[place].append(begin.duration(to: .now) / .seconds(1)) }
                        }
                    }
                }
                let medians = seconds.map { 1e6 * $0.sorted()[$0.count / 2] }
                print(
                    "\(model.name), \(name)".padding(toLength: 34, withPad: " ", startingAt: 0)
                        + String(
                            format: "%11.0f%10.0f%10.0f%23.2f", medians[0], medians[1], medians[2],
                            medians[0] / medians[2]))
            }
        }
    }

    /// x W^T and dy W of FLUX's layers with a quantised weight, beside the same in bfloat16, in turns.
    private func measureQuantized(_ kernels: CPUBackend) {
        let formats: [QuantizationFormat] = [.q40, .q80, .q4K, .q6K, .float8E4M3]
        print(
            "\nGFLOP/s, bfloat16 x     m     n     k    bf16 "
                + formats.map { $0.rawValue.padding(toLength: 17, withPad: " ", startingAt: 0) }.joined())
        var random = Random(seed: 1)
        for (m, n, k) in [(2560, 3072, 3072), (512, 3072, 12288), (77, 3072, 768), (1, 18432, 3072)] {
            let numbers = random.randn([n, k])
            let plain = ProductFactor.plain(numbers.converted(to: .bfloat16))
            let factors =
                [plain]
                + formats.map { format -> ProductFactor in
                    let blocks =
                        format.isWritable
                        ? QuantizedTensor(quantizing: numbers, to: format)
                        : QuantizedTensor(
                            storage: Storage(byteCount: n * k, isZero: true), format: format, shape: [n, k])
                    return .quantized(QuantizedMatrix(blocks))
                }
            for isGradient in [false, true] {
                let x = random.randn([m, isGradient ? n : k]).converted(to: .bfloat16)
                var best = [Double](repeating: .infinity, count: factors.count)
                for round in 0...reps {
                    for (place, factor) in factors.enumerated() {
                        let term = ProductTerm(x, isGradient ? factor : factor.transposed())
                        Device.withBackend(kernels) {
                            let begin = ContinuousClock.now
                            _ = Tensor.sumOfProducts([term], dtype: .bfloat16)
                            let seconds = begin.duration(to: .now) / .seconds(1)
                            if round > 0 { best[place] = min(best[place], seconds) }
                        }
                    }
                }
                let rates = best.map { 2 * Double(m) * Double(n) * Double(k) / $0 / 1e9 }
                print(
                    (isGradient ? "dy W" : "x Wt").padding(toLength: 18, withPad: " ", startingAt: 0)
                        + String(format: "%6d%6d%6d%8.1f ", m, n, k, rates[0])
                        + rates.dropFirst().map { String(format: "%7.1f (%.2f)   ", $0, $0 / rates[0]) }.joined())
            }
        }
    }

    private func measure(_ item: Case, _ blas: CPUBackend, _ kernels: CPUBackend) {
        var random = Random(seed: 1)
        let a = random.randn(Shape(item.isLeftTransposed ? [item.k, item.m] : [item.m, item.k]))
        let b = random.randn(Shape(item.isRightTransposed ? [item.n, item.k] : [item.k, item.n]))
        let (narrowA, narrowB) = (a.converted(to: .bfloat16), b.converted(to: .bfloat16))
        let contenders: [(CPUBackend, Tensor, Tensor)] = [
            (blas, a, b), (kernels, a, b), (kernels, a, narrowB), (kernels, narrowA, narrowB),
        ]
        let operations = 2 * Double(item.m) * Double(item.n) * Double(item.k)
        let calls = Int(5e7 / operations) + 1
        var best = [Double](repeating: .infinity, count: contenders.count)
        for round in 0...reps {
            for (place, contender) in contenders.enumerated() {
                Device.withBackend(contender.0) {
                    let begin = ContinuousClock.now
                    for _ in 0..<calls {
                        _ = contender.1.matrixProduct(
                            contender.2, transposingSelf: item.isLeftTransposed,
                            transposingOther: item.isRightTransposed)
                    }
                    // The first round fetches memory and code.
                    let seconds = begin.duration(to: .now) / .seconds(1) / Double(calls)
                    if round > 0 { best[place] = min(best[place], seconds) }
                }
            }
        }
        let rates = best.map { operations / $0 / 1e9 }
        // Probed again beside each shape: the rate of a shared machine swings.
        let probed = kernels.matrixKernels.probedRate(narrow: true) / 1e9
        let name = item.purpose.padding(toLength: 16, withPad: " ", startingAt: 0)
        print(
            name
                + String(
                    format: "%6d%6d%6d%14.1f%6.1f%12.1f%6.1f%17.2f%9.0f%10.0f %%", item.m, item.n, item.k, rates[0],
                    rates[1], rates[2], rates[3], rates[1] / rates[0], best[3] * 1e6, 100 * rates[3] / probed))
    }
}
