#pragma once
#include <stdbool.h>

/// The instruction sets of the elementwise and quantization kernels, each holding those before it.
enum diptych_instruction_set {
    /// What every processor of the architecture has: SSE2 on x86-64, NEON on arm64.
    DIPTYCH_SCALAR = 0,
    /// AVX2 with FMA and F16C.
    DIPTYCH_AVX2 = 1,
    /// AVX-512 F, BW, DQ and VL.
    DIPTYCH_AVX512 = 2,
};

/// The levels of the kernels that multiply matrices (gemm, attention, convolution), from the plain loops up.
enum diptych_kernel_level {
    /// Three loops with double-precision sums: the oracle of the others.
    DIPTYCH_LEVEL_PLAIN = 0,
    /// Vectors of four floats: SSE2, NEON.
    DIPTYCH_LEVEL_PORTABLE = 1,
    DIPTYCH_LEVEL_AVX2 = 2,
    DIPTYCH_LEVEL_AVX512 = 3,
    DIPTYCH_LEVEL_AVX512_BF16 = 4,
    DIPTYCH_LEVEL_AMX = 5,
    /// The kernels of DIPTYCH_LEVEL_AMX on the emulated matrix unit of matrix_unit_emulation.h.
    DIPTYCH_LEVEL_AMX_EMULATED = 6,
};

/// The highest instruction set that this processor (and its operating system) can run.
enum diptych_instruction_set diptych_best_instruction_set(void);

/// The instruction set in force: the best, unless the environment variable DIPTYCH_ISA or diptych_force_instruction_set
/// lowered it. Names that only levels tell apart (avx512bf16, amx, amxemulated) mean AVX-512 here. A name that
/// diptych_requested_level refuses changes nothing.
enum diptych_instruction_set diptych_current_instruction_set(void);

/// Chooses the instruction set of all kernels called from now on; aborts if it is above the best.
void diptych_force_instruction_set(enum diptych_instruction_set set);

/// Whether this processor, and the system for AMX, runs a level.
bool diptych_processor_runs(enum diptych_kernel_level level);

/// What the environment variable DIPTYCH_ISA asks for.
enum diptych_level_request {
    /// Nothing: it is unset or empty.
    DIPTYCH_LEVEL_NOT_REQUESTED,
    /// A level that this processor runs.
    DIPTYCH_LEVEL_REQUESTED,
    /// No level, or one that this processor cannot run.
    DIPTYCH_LEVEL_REFUSED,
};

/// Reads DIPTYCH_ISA; the one place that does. Writes the level where one is requested.
enum diptych_level_request diptych_requested_level(enum diptych_kernel_level *level);
