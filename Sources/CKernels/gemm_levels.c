// Which kernels this processor runs.
#include "gemm_internal.h"
#include <pthread.h>
#if defined(__x86_64__) && defined(__linux__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

#if defined(__x86_64__)
static int has_bf16(void) {
    unsigned a, b, c, d;
    return __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a >> 5 & 1);
}

/// Whether the processor has bfloat16 tiles and the system lends them to this process: Linux asks to be asked, once for all
/// threads and children, and refuses where a thread's signal stack is too small for the tiles.
static int has_amx(void) {
    unsigned a, b, c, d;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(d >> 22 & 1) || !(d >> 24 & 1)) return 0;
    const long request_permission = 0x1023, tile_data = 18;
    return syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
}

static int detect(void) {
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return gemm_portable;
    if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw")
        || !__builtin_cpu_supports("avx512dq") || !__builtin_cpu_supports("avx512vl"))
        return gemm_avx2;
    if (!has_bf16()) return gemm_avx512;
    return has_amx() ? gemm_amx : gemm_avx512_bf16;
}
#else
static int detect(void) { return gemm_portable; }
#endif

static int best_level = gemm_scalar;
static pthread_once_t detected = PTHREAD_ONCE_INIT;
static void remember_level(void) { best_level = detect(); }

int gemm_supports(int level) {
    pthread_once(&detected, remember_level);
    if (level == gemm_amx_emulated) return best_level >= gemm_avx512_bf16;
    return level >= gemm_scalar && level <= best_level;
}

const gemm_kernels *gemm_kernels_of(int level, int pairs) {
#if defined(__x86_64__)
    switch (level) {
    case gemm_amx_emulated: return pairs ? &gemm_kernels_amx_emulated : &gemm_kernels_avx512;
    case gemm_amx: return pairs ? &gemm_kernels_amx : &gemm_kernels_avx512;
    case gemm_avx512_bf16: return pairs ? &gemm_kernels_avx512_bf16 : &gemm_kernels_avx512;
    case gemm_avx512: return &gemm_kernels_avx512;
    case gemm_avx2: return &gemm_kernels_avx2;
    }
#endif
    (void)level;
    (void)pairs;
    return &gemm_kernels_portable;
}
