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

/// The level in force: the best, unless the environment variable DIPTYCH_ISA or diptych_force_instruction_set lowered
/// it. The names that only matrix products tell apart (avx512bf16, amx, amxemulated) mean AVX-512 here. A name that
/// diptych_wished_gemm_level refuses changes nothing.
enum diptych_instruction_set diptych_current_instruction_set(void);

/// Chooses the level of all kernels called from now on; it must not be above the best.
void diptych_force_instruction_set(enum diptych_instruction_set level);

/// What diptych_wished_gemm_level returns beside a level of gemm.h.
enum diptych_wish { DIPTYCH_NO_WISH = -1, DIPTYCH_BAD_WISH = -2 };

/// The gemm_level that the environment variable DIPTYCH_ISA names: DIPTYCH_NO_WISH where it is unset or empty,
/// DIPTYCH_BAD_WISH where it names no level or one that this processor cannot run. The one place that reads the variable.
int diptych_wished_gemm_level(void);
