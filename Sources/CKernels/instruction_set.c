#include "InstructionSet.h"
#include "gemm.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[] = {"scalar", "avx2", "avx512"};

/// The names that DIPTYCH_ISA takes.
static const struct {
    const char *name;
    int gemm;
    enum diptych_instruction_set set;
} wishes[] = {
    {"scalar", gemm_portable, DIPTYCH_SCALAR},
    {"avx2", gemm_avx2, DIPTYCH_AVX2},
    {"avx512", gemm_avx512, DIPTYCH_AVX512},
    {"avx512bf16", gemm_avx512_bf16, DIPTYCH_AVX512},
    {"amx", gemm_amx, DIPTYCH_AVX512},
    {"amxemulated", gemm_amx_emulated, DIPTYCH_AVX512},
};

/// The level in force plus one; 0 until the first question.
static _Atomic(int) current = 0;

enum diptych_instruction_set diptych_best_instruction_set(void) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma") || !__builtin_cpu_supports("f16c"))
        return DIPTYCH_SCALAR;
    if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
        !__builtin_cpu_supports("avx512dq") || !__builtin_cpu_supports("avx512vl"))
        return DIPTYCH_AVX2;
    return DIPTYCH_AVX512;
#else
    return DIPTYCH_SCALAR;
#endif
}

int diptych_wished_gemm_level(void) {
    const char *wish = getenv("DIPTYCH_ISA");
    if (!wish || !*wish) return DIPTYCH_NO_WISH;
    for (size_t i = 0; i < sizeof wishes / sizeof *wishes; i++)
        if (strcmp(wish, wishes[i].name) == 0)
            return gemm_supports(wishes[i].gemm) ? wishes[i].gemm : DIPTYCH_BAD_WISH;
    return DIPTYCH_BAD_WISH;
}

/// What DIPTYCH_ISA asks for, where this processor can do it.
static enum diptych_instruction_set chosen_by_environment(void) {
    const int wish = diptych_wished_gemm_level();
    for (size_t i = 0; i < sizeof wishes / sizeof *wishes; i++)
        if (wishes[i].gemm == wish) return wishes[i].set;
    return diptych_best_instruction_set();
}

enum diptych_instruction_set diptych_current_instruction_set(void) {
    int level = atomic_load_explicit(&current, memory_order_relaxed);
    if (level == 0) {
        int chosen = (int)chosen_by_environment() + 1;
        if (atomic_compare_exchange_strong(&current, &level, chosen)) level = chosen;
    }
    return (enum diptych_instruction_set)(level - 1);
}

void diptych_force_instruction_set(enum diptych_instruction_set level) {
    if (level > diptych_best_instruction_set()) {
        fprintf(stderr, "this processor cannot run %s\n", names[level]);
        abort();
    }
    atomic_store_explicit(&current, (int)level + 1, memory_order_relaxed);
}
