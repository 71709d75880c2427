#include "InstructionSet.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[] = {"scalar", "avx2", "avx512"};

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

/// What DIPTYCH_ISA asks for, as far as the processor can; complaints go to standard error, never unsaid.
static enum diptych_instruction_set chosen_by_environment(void) {
    enum diptych_instruction_set best = diptych_best_instruction_set();
    const char *wish = getenv("DIPTYCH_ISA");
    if (!wish || !*wish) return best;
    // The sets that only matrix products tell apart hold avx512.
    if (strcmp(wish, "avx512bf16") == 0 || strcmp(wish, "amx") == 0 || strcmp(wish, "amxemulated") == 0)
        wish = names[DIPTYCH_AVX512];
    for (int level = 0; level < 3; level++) {
        if (strcmp(wish, names[level]) != 0) continue;
        if (level <= (int)best) return (enum diptych_instruction_set)level;
        fprintf(stderr, "DIPTYCH_ISA=%s: this processor has at most %s, which is used\n", wish, names[best]);
        return best;
    }
    fprintf(stderr, "DIPTYCH_ISA=%s: expected scalar, avx2 or avx512; %s is used\n", wish, names[best]);
    return best;
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
