import CKernels
import Glibc

/// The sets of kernels that multiply matrices, by the processor instructions that they need.
///
/// The environment variable `DIPTYCH_ISA` (`scalar`, `avx2`, `avx512`, `avx512bf16` or `amx`) chooses one for the whole
/// process; otherwise the best that the processor has, save for `amx`, which has to be asked for. Results of different
/// sets differ by roundings.
public enum MatrixKernels: String, Sendable, CaseIterable, Comparable, CustomStringConvertible {
    /// Vectors of four floats: SSE2 on x86-64, NEON on arm64.
    case portable = "scalar"
    /// Vectors of eight floats, fused multiply-add.
    case avx2
    /// Vectors of sixteen floats.
    case avx512
    /// As `avx512`; products of two `bfloat16` matrices by `vdpbf16ps`, which flushes subnormal numbers to zero.
    case avx512bf16
    /// As `avx512`; products of two `bfloat16` matrices on the matrix unit of Intel processors since Sapphire Rapids.
    case amx

    /// Those that this processor can run, the simplest first.
    public static let available: [MatrixKernels] = allCases.filter { gemm_supports($0.level) != 0 }

    /// The ones in force.
    public static let current: MatrixKernels = {
        let best = available.last { $0 != .amx }!
        guard let wish = getenv("DIPTYCH_ISA").map({ String(cString: $0) }), !wish.isEmpty else { return best }
        if let set = MatrixKernels(rawValue: wish), available.contains(set) { return set }
        let names = available.map(\.rawValue).joined(separator: ", ")
        let line = "DIPTYCH_ISA=\(wish): expected one of \(names); matrix products use \(best)\n"
        _ = line.withCString { write(STDERR_FILENO, $0, strlen($0)) }
        return best
    }()

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
        }
    }
}
