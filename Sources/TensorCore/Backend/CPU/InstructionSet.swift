import CKernels

/// The processor instructions that the CPU backend's kernels use, each set holding those before it.
///
/// The best set that the processor has is used unless the environment variable `DIPTYCH_ISA` (`scalar`, `avx2` or
/// `avx512`) or ``force(_:)`` lowers it. Results differ between sets by roundings only; sums without products, copies,
/// conversions and optimizer steps do not differ at all.
public enum InstructionSet: String, Sendable, CaseIterable, Comparable, Codable {
    /// What every processor of the architecture has: SSE2 on x86-64, NEON on arm64.
    case scalar
    /// AVX2 with FMA and F16C.
    case avx2
    /// AVX-512 F, BW, DQ and VL.
    case avx512

    /// The highest that this processor can run.
    public static var best: InstructionSet { InstructionSet(diptych_best_instruction_set()) }

    /// All that this processor can run, lowest first.
    public static var available: [InstructionSet] { allCases.filter { $0 <= best } }

    /// The one in force.
    public static var current: InstructionSet { InstructionSet(diptych_current_instruction_set()) }

    /// Chooses the set for all kernels of the process called from now on; it must not be above ``best``.
    public static func force(_ set: InstructionSet) {
        precondition(set <= best, "this processor has at most \(best), not \(set)")
        diptych_force_instruction_set(set.level)
    }

    /// A set is less than those that hold it.
    public static func < (a: InstructionSet, b: InstructionSet) -> Bool { a.level.rawValue < b.level.rawValue }

    private init(_ level: diptych_instruction_set) {
        self =
            switch level {
            case DIPTYCH_AVX512: .avx512
            case DIPTYCH_AVX2: .avx2
            default: .scalar
            }
    }

    private var level: diptych_instruction_set {
        switch self {
        case .scalar: DIPTYCH_SCALAR
        case .avx2: DIPTYCH_AVX2
        case .avx512: DIPTYCH_AVX512
        }
    }
}
