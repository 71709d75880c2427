import CKernels
import Glibc

/// The sets of kernels that multiply matrices and compute attention, by the processor instructions that they need.
///
/// The environment variable `DIPTYCH_ISA` (`scalar`, `avx2`, `avx512`, `avx512bf16`, `amx` or, for tests, `amxemulated`)
/// chooses one for the whole process; otherwise it is the best that the processor has, `amx` only after it has multiplied
/// a test matrix rightly. Results of different sets differ by roundings.
public enum MatrixKernels: String, Sendable, CaseIterable, Comparable, CustomStringConvertible {
    /// Vectors of four floats: SSE2 on x86-64, NEON on arm64.
    case portable = "scalar"
    /// Vectors of eight floats, fused multiply-add.
    case avx2
    /// Vectors of sixteen floats.
    case avx512
    /// As `avx512`; products of two `bfloat16` matrices by `vdpbf16ps`, which flushes subnormal numbers to zero.
    case avx512bf16
    /// As `avx512`; products of two `bfloat16` matrices, and those in attention, on the matrix unit of Intel processors
    /// since Sapphire Rapids. Proven by emulation, never timed.
    case amx
    /// The kernels of `amx`, their instructions one by one in `avx512`: slow, to prove them on processors that have
    /// `avx512bf16`. Nothing but `DIPTYCH_ISA` chooses it.
    case amxEmulated = "amxemulated"

    /// Those that this processor can run, the simplest first.
    public static let available: [MatrixKernels] = allCases.filter { gemm_supports($0.level) != 0 }

    /// The ones in force.
    public static let current: MatrixKernels = {
        let wish = getenv("DIPTYCH_ISA").map { String(cString: $0) } ?? ""
        // Before the matrix unit is tried, so that a wish avoids it wholly.
        if let set = MatrixKernels(rawValue: wish), available.contains(set) { return set }
        let best = available.last { $0 != .amxEmulated && ($0 != .amx || $0.agreesWithVectors) }!
        if wish.isEmpty { return best }
        let names = available.map(\.rawValue).joined(separator: ", ")
        let line = "DIPTYCH_ISA=\(wish): expected one of \(names); matrix products use \(best)\n"
        _ = line.withCString { write(STDERR_FILENO, $0, strlen($0)) }
        return best
    }()

    /// Whether a matrix unit computes products and attention as the vector kernels do: odd extents, more than one block of
    /// k. Emulators and virtual machines have been seen to offer the unit without running it as they should.
    package var agreesWithVectors: Bool {
        func wave(_ shape: Shape, _ step: Float) -> Tensor {
            Tensor((0..<shape.count).map { Float($0 % 61) * step - 1 }, shape).converted(to: .bfloat16)
        }
        let (a, b) = (wave([67, 1100], 0.03), wave([1100, 45], 0.029))
        let (q, k, v) = (wave([1, 67, 2, 24], 0.03), wave([1, 67, 2, 24], 0.028), wave([1, 67, 2, 24], 0.029))
        let options = AttentionOptions(scale: 0.2)
        func results(_ kernels: MatrixKernels) -> [[Float]] {
            Device.withBackend(CPUBackend(matrixKernels: kernels, leavesSomeToOneDNN: false)) {
                let product = a.matrixProduct(b, dtype: .float32)
                let attention = Tensor.attention(q, k, v, options: options)
                let gradients = Device.backend.attentionGradient(
                    [AttentionStream(query: q, key: k, value: v)], options: options, result: attention,
                    gradients: [q], needs: [.queries, .keysAndValues])[0]
                return [product, attention.output, gradients.query!, gradients.key!, gradients.value!].map {
                    $0.converted(to: .float32).floats
                }
            }
        }
        return zip(results(.avx512bf16), results(self)).allSatisfy { expected, found in
            zip(expected, found).allSatisfy { abs($0 - $1) < 0.05 }
        }
    }

    /// Floating-point operations a second that the threads together reach on operands in their first-level caches:
    /// `bfloat16` when `narrow`, otherwise `float32`. What products are compared with; measured for a tenth of a second.
    public func probedRate(narrow: Bool) -> Double {
        var total = 0.0
        let begin = ContinuousClock.now
        var seconds = 0.0
        while seconds < 0.1 {
            let shares = UnsafeMutableBufferPointer<Double>.allocate(capacity: Threads.count)
            defer { shares.deallocate() }
            shares.initialize(repeating: 0)
            parallelFor(shares.count, grain: 1) { part in
                for i in part { shares[i] = gemm_probe(level, narrow ? 1 : 0, 200) }
            }
            total += shares.reduce(0, +)
            seconds = begin.duration(to: .now) / .seconds(1)
        }
        return total / seconds
    }

    /// The name that `DIPTYCH_ISA` takes.
    public var description: String { rawValue }

    /// A set is less than those that need more of the processor.
    public static func < (a: MatrixKernels, b: MatrixKernels) -> Bool { a.level < b.level }

    var level: Int32 {
        switch self {
        case .portable: Int32(gemm_portable.rawValue)
        case .avx2: Int32(gemm_avx2.rawValue)
        case .avx512: Int32(gemm_avx512.rawValue)
        case .avx512bf16: Int32(gemm_avx512_bf16.rawValue)
        case .amx: Int32(gemm_amx.rawValue)
        case .amxEmulated: Int32(gemm_amx_emulated.rawValue)
        }
    }
}
