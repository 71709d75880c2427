#pragma once

/// The instruction sets that kernels are compiled for, each holding those before it.
enum diptych_instruction_set {
    /// What every processor of the architecture has: SSE2 on x86-64, NEON on arm64.
    DIPTYCH_SCALAR = 0,
    /// AVX2 with FMA and F16C.
    DIPTYCH_AVX2 = 1,
    /// AVX-512 F, BW, DQ and VL.
    DIPTYCH_AVX512 = 2,
};

/// The highest level that this processor (and its operating system) can run.
enum diptych_instruction_set diptych_best_instruction_set(void);

/// The level in force: the best, unless the environment variable DIPTYCH_ISA (scalar, avx2 or avx512) or
/// diptych_force_instruction_set lowered it.
enum diptych_instruction_set diptych_current_instruction_set(void);

/// Chooses the level of all kernels called from now on; it must not be above the best.
void diptych_force_instruction_set(enum diptych_instruction_set level);
