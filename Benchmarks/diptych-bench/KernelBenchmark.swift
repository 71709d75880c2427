import ArgumentParser
import Foundation
import TensorCore

/// `diptych-bench kernels`: single products and convolutions, one for each line of standard input, each answered by a line
/// of JSON. `peer_products.py` asks this program and PyTorch in turns.
struct KernelBenchmark: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kernels",
        abstract: "Times products and convolutions described by lines of JSON on standard input.",
        discussion: """
            {"kind": "product", "form": "x Wt", "m": 512, "n": 64, "k": 1536, "dtype": "bf16", "threads": 1, "samples": 5}
            {"kind": "product", "engine": "packed", "form": "x Wt", "m": 512, "n": 64, "k": 1536, "dtype": "bf16", \
            "threads": 1, "samples": 5}
            {"kind": "convolution", "images": 1, "in": 512, "out": 512, "height": 8, "width": 8, "kernel": 3, \
            "stride": 1, "low": 1, "high": 1, "dtype": "f32", "threads": 2, "samples": 5}
            """)

    /// One line. A product is m x n from m x k and k x n; `form` says how the operands lie: `x Wt` (the right one
    /// transposed), `dy W` (both as they are) or `dyt x` (the left one transposed). `engine` is `kernels` for ours, `onednn`, or
    /// `packed` for oneDNN with the right operand laid out ahead.
    private struct Case: Decodable {
        enum Kind: String, Decodable { case product, convolution }
        enum Form: String, Decodable {
            case layer = "x Wt"
            case inputGradient = "dy W"
            case weightGradient = "dyt x"
        }
        let kind: Kind
        let dtype: String, threads: Int, samples: Int
        /// What computes a product: the faster of the two for its shape, unless given.
        enum Engine: String, Decodable { case kernels, onednn, packed }
        let engine: Engine?
        let form: Form?
        let m: Int?, n: Int?, k: Int?
        let images: Int?, `in`: Int?, out: Int?, height: Int?, width: Int?
        let kernel: Int?, stride: Int?, low: Int?, high: Int?
    }

    func run() throws {
        while let line = readLine() {
            let item = try JSONDecoder().decode(Case.self, from: Data(line.utf8))
            guard item.threads > 0, item.samples > 0, let step = step(item) else {
                throw ValidationError("not a case: \(line)")
            }
            Threads.set(item.threads)
            TimedRuns.printLine([("ms", String(format: "%.5f", median(item.samples, step) * 1e3))])
            fflush(nil)
        }
    }

    /// What a case computes; its operands are made once. The result has their type.
    private func step(_ item: Case) -> (() -> Void)? {
        let type: DType = item.dtype == "bf16" ? .bfloat16 : .float32
        var random = Random(seed: 1)
        switch item.kind {
        case .product:
            guard let form = item.form, let m = item.m, let n = item.n, let k = item.k else { return nil }
            let a = random.randn(form == .weightGradient ? [k, m] : [m, k]).converted(to: type)
            let b = random.randn(form == .layer ? [n, k] : [k, n]).converted(to: type)
            let (x, y) = (form == .weightGradient ? a.transposed() : a, form == .layer ? b.transposed() : b)
            switch item.engine {
            case .onednn, .packed:
                let packed = item.engine == .packed ? PackedWeight() : nil
                return { _ = OneDNN.product(x, y, dtype: type, packedWeight: packed) }
            case .kernels, nil:
                let backend = CPUBackend(leavesSomeToOneDNN: item.engine == nil)
                return { _ = backend.matrixProduct(x, y, bias: nil, dtype: type) }
            }
        case .convolution:
            guard let images = item.images, let inputs = item.in, let outputs = item.out, let height = item.height,
                let width = item.width, let kernel = item.kernel, let stride = item.stride, let low = item.low,
                let high = item.high
            else { return nil }
            let x = random.randn([images, inputs, height, width]).converted(to: type)
            let w = random.randn([outputs, inputs, kernel, kernel]).converted(to: type)
            let options = ConvolutionOptions(stride: stride, padding: low, paddingHigh: high)
            // Frozen, as a model has it.
            let stages = ConvolutionStages(weightCache: WeightCache())
            return { _ = x.convolution(weight: w, bias: nil, options: options, stages: stages) }
        }
    }

    /// The median time of a step in seconds over `samples` runs of two milliseconds or one step. Before them it runs for
    /// 40 milliseconds: a thread that has slept shares its waker's processor until the system has moved it.
    private func median(_ samples: Int, _ step: () -> Void) -> Double {
        func time(_ calls: Int) -> Double {
            let begin = ContinuousClock.now
            for _ in 0..<calls { step() }
            return begin.duration(to: .now) / .seconds(1) / Double(calls)
        }
        let begin = ContinuousClock.now
        var least = time(1)
        repeat { least = min(least, time(1)) } while begin.duration(to: .now) < .milliseconds(40)
        let calls = max(1, Int(2e-3 / max(least, 1e-7)))
        return (0..<samples).map { _ in time(calls) }.sorted()[samples / 2]
    }
}
