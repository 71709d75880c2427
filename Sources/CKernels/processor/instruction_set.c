// Which instructions this processor runs, and which of them are used.
#include "instruction_set.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#if defined(__x86_64__) && defined(__linux__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

// MARK: What the processor runs

#if defined(__x86_64__)
static bool has_avx2(void) { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }

static bool has_avx512(void) {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}

static bool has_bf16(void) {
    unsigned a, b, c, d;
    return __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a >> 5 & 1);
}

/// Whether the processor has bfloat16 tiles and the system lets this process use them. Linux wants a request, once for all
/// threads and children, and refuses it where a thread's signal stack is too small for the tiles.
static bool has_amx(void) {
    unsigned a, b, c, d;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(d >> 22 & 1) || !(d >> 24 & 1)) return false;
    const long request_permission = 0x1023, tile_data = 18;
    return syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
}
#endif

enum diptych_instruction_set diptych_best_instruction_set(void) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (!has_avx2() || !__builtin_cpu_supports("f16c")) return DIPTYCH_SCALAR;
    return has_avx512() ? DIPTYCH_AVX512 : DIPTYCH_AVX2;
#else
    return DIPTYCH_SCALAR;
#endif
}

static enum diptych_kernel_level detected_level(void) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (!has_avx2()) return DIPTYCH_LEVEL_PORTABLE;
    if (!has_avx512()) return DIPTYCH_LEVEL_AVX2;
    if (!has_bf16()) return DIPTYCH_LEVEL_AVX512;
    return has_amx() ? DIPTYCH_LEVEL_AMX : DIPTYCH_LEVEL_AVX512_BF16;
#else
    return DIPTYCH_LEVEL_PORTABLE;
#endif
}

static enum diptych_kernel_level best_level;
static pthread_once_t detected = PTHREAD_ONCE_INIT;
static void remember_level(void) { best_level = detected_level(); }

bool diptych_processor_runs(enum diptych_kernel_level level) {
    pthread_once(&detected, remember_level);
    if (level == DIPTYCH_LEVEL_AMX_EMULATED) return best_level >= DIPTYCH_LEVEL_AVX512_BF16;
    return level <= best_level;
}

// MARK: What is used

/// The names that DIPTYCH_ISA takes.
static const struct {
    const char *name;
    enum diptych_kernel_level level;
    enum diptych_instruction_set set;
} requests[] = {
    {"scalar", DIPTYCH_LEVEL_PORTABLE, DIPTYCH_SCALAR},
    {"avx2", DIPTYCH_LEVEL_AVX2, DIPTYCH_AVX2},
    {"avx512", DIPTYCH_LEVEL_AVX512, DIPTYCH_AVX512},
    {"avx512bf16", DIPTYCH_LEVEL_AVX512_BF16, DIPTYCH_AVX512},
    {"amx", DIPTYCH_LEVEL_AMX, DIPTYCH_AVX512},
    {"amxemulated", DIPTYCH_LEVEL_AMX_EMULATED, DIPTYCH_AVX512},
};

enum diptych_level_request diptych_requested_level(enum diptych_kernel_level *level) {
    const char *request = getenv("DIPTYCH_ISA");
    if (!request || !*request) return DIPTYCH_LEVEL_NOT_REQUESTED;
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++)
        if (strcmp(request, requests[i].name) == 0 && diptych_processor_runs(requests[i].level)) {
            *level = requests[i].level;
            return DIPTYCH_LEVEL_REQUESTED;
        }
    return DIPTYCH_LEVEL_REFUSED;
}

static enum diptych_instruction_set requested_set(void) {
    enum diptych_kernel_level level;
    if (diptych_requested_level(&level) == DIPTYCH_LEVEL_REQUESTED)
        for (size_t i = 0; i < sizeof requests / sizeof *requests; i++)
            if (requests[i].level == level) return requests[i].set;
    return diptych_best_instruction_set();
}

/// The set in force plus one; 0 until the first question.
static _Atomic(int) current = 0;

enum diptych_instruction_set diptych_current_instruction_set(void) {
    int set = atomic_load_explicit(&current, memory_order_relaxed);
    if (set == 0) {
        int chosen = (int)requested_set() + 1;
        if (atomic_compare_exchange_strong(&current, &set, chosen)) set = chosen;
    }
    return (enum diptych_instruction_set)(set - 1);
}

void diptych_force_instruction_set(enum diptych_instruction_set set) {
    static const char *const names[] = {"scalar", "avx2", "avx512"};
    if (set > diptych_best_instruction_set()) {
        fprintf(stderr, "this processor cannot run %s\n", names[set]);
        abort();
    }
    atomic_store_explicit(&current, (int)set + 1, memory_order_relaxed);
}
