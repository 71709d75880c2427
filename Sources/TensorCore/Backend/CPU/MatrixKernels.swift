import CKernels
import Glibc
package import Synchronization

/// The sets of kernels that multiply matrices and compute attention, by the processor instructions that they need.
///
/// The environment variable `DIPTYCH_ISA` (`scalar`, `avx2`, `avx512`, `avx512bf16`, `amx` or, for tests, `amxemulated`)
/// chooses one for the whole process; otherwise it is the best that the processor has, `amx` only after it has passed its
/// trial (`KernelTrial`). Results of different sets differ by roundings.
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
    /// since Sapphire Rapids.
    case amx
    /// The kernels of `amx`, their instructions one by one in `avx512`: slow, to prove them on processors that have
    /// `avx512bf16`. Nothing but `DIPTYCH_ISA` chooses it.
    case amxEmulated = "amxemulated"

    /// Those that this processor can run, the simplest first.
    public static let available: [MatrixKernels] = allCases.filter { gemm_supports($0.level) != 0 }

    /// The ones in force. A `DIPTYCH_ISA` that cannot be followed is said on standard error, once, and ignored; programs
    /// that would rather refuse it ask ``environmentFault`` first.
    public static let current: MatrixKernels = {
        // Before the matrix unit is tried, so that a wish avoids it wholly.
        let wish = diptych_wished_gemm_level()
        if let set = allCases.first(where: { $0.level == wish }) { return set }
        let best = bestSet(trying: unitOnTrial.withLock { $0 })
        if let fault = environmentFault {
            let line = "warning: \(fault); matrix products use \(best)\n"
            _ = line.withCString { write(STDERR_FILENO, $0, strlen($0)) }
        }
        return best
    }()

    /// What is wrong with the environment variable `DIPTYCH_ISA`, in one line; nil where it can be followed or is unset.
    public static var environmentFault: String? {
        guard diptych_wished_gemm_level() == DIPTYCH_BAD_WISH.rawValue else { return nil }
        let wish = getenv("DIPTYCH_ISA").map { String(cString: $0) } ?? ""
        let names = available.map(\.rawValue).joined(separator: ", ")
        let isOther = MatrixKernels(rawValue: wish) != nil
        return "DIPTYCH_ISA: expected one of \(names)\(isOther ? ", which this processor runs" : ""), found '\(wish)'"
    }

    /// The set that must pass a trial before it is used: virtual machines have been seen to offer a matrix unit without
    /// running it as they should. Tests put another one in its place, before the first product of a process, so that
    /// every processor takes the way that those with a matrix unit take.
    package static let unitOnTrial = Mutex(MatrixKernels.amx)

    /// The best set of this processor; `unit` only if it computes what the best vector kernels compute.
    ///
    /// This runs inside the initialiser of `Device.backend`: nothing in here may ask for the device or for ``current``,
    /// which would wait for itself for ever.
    private static func bestSet(trying unit: MatrixKernels) -> MatrixKernels {
        let vectors = available.last { $0 < .amx && $0 != unit } ?? .portable
        guard available.contains(unit), KernelTrial(of: unit, against: vectors).isPassed else { return vectors }
        return unit
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
