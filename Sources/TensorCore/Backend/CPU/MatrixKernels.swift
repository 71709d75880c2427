import CKernels
import Glibc
package import Synchronization

/// The sets of kernels that multiply matrices and compute attention, by the processor instructions that they need.
///
/// The environment variable `DIPTYCH_ISA` (`scalar`, `avx2`, `avx512`, `avx512bf16`, `amx` or, for tests, `amxemulated`)
/// chooses one for the whole process; otherwise it is the best that the processor has, `amx` only after it has passed its
/// trial (``KernelTrial``). Results of different sets differ by roundings.
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
    public static let available: [MatrixKernels] = allCases.filter { diptych_processor_runs($0.level) }

    /// The ones in force. A `DIPTYCH_ISA` that cannot be followed is said on standard error, once, and ignored; programs
    /// that would rather refuse it ask ``environmentFault`` first.
    public static let current: MatrixKernels = {
        // Before the trial of the matrix unit, so that a request avoids it wholly.
        var level = DIPTYCH_LEVEL_PLAIN
        if diptych_requested_level(&level) == DIPTYCH_LEVEL_REQUESTED {
            return allCases.first { $0.level == level }!
        }
        let best = bestSet(trying: unitOnTrial.withLock { $0 })
        if let fault = environmentFault {
            let line = "warning: \(fault); matrix products use \(best)\n"
            _ = line.withCString { write(STDERR_FILENO, $0, strlen($0)) }
        }
        return best
    }()

    /// What is wrong with the environment variable `DIPTYCH_ISA`, in one line; nil where it can be followed or is unset.
    public static var environmentFault: String? {
        var level = DIPTYCH_LEVEL_PLAIN
        guard diptych_requested_level(&level) == DIPTYCH_LEVEL_REFUSED else { return nil }
        let requested = getenv("DIPTYCH_ISA").map { String(cString: $0) } ?? ""
        let names = available.map(\.rawValue).joined(separator: ", ")
        let isOther = MatrixKernels(rawValue: requested) != nil
        return
            "DIPTYCH_ISA: expected one of \(names)\(isOther ? ", which this processor runs" : ""), found '\(requested)'"
    }

    /// The set that must pass a trial before it is used: virtual machines have been seen to offer a matrix unit without
    /// running it as they should. Tests put another set here, before the first product of a process, so that the
    /// trial runs on processors without a matrix unit too.
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
                for i in part { shares[i] = diptych_gemm_probe(level, narrow, 200) }
            }
            total += shares.reduce(0, +)
            seconds = begin.duration(to: .now) / .seconds(1)
        }
        return total / seconds
    }

    /// The name that `DIPTYCH_ISA` takes.
    public var description: String { rawValue }

    /// A set is less than those that need more of the processor.
    public static func < (a: MatrixKernels, b: MatrixKernels) -> Bool { a.level.rawValue < b.level.rawValue }

    var level: diptych_kernel_level {
        switch self {
        case .portable: DIPTYCH_LEVEL_PORTABLE
        case .avx2: DIPTYCH_LEVEL_AVX2
        case .avx512: DIPTYCH_LEVEL_AVX512
        case .avx512bf16: DIPTYCH_LEVEL_AVX512_BF16
        case .amx: DIPTYCH_LEVEL_AMX
        case .amxEmulated: DIPTYCH_LEVEL_AMX_EMULATED
        }
    }
}
