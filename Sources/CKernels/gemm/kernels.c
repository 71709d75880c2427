// The micro-kernels of each level.
#include "kernels.h"

const diptych_gemm_kernels *diptych_gemm_kernels_of(enum diptych_kernel_level level, bool pairs) {
#if defined(__x86_64__)
    switch (level) {
    case DIPTYCH_LEVEL_AMX_EMULATED:
        return pairs ? &diptych_gemm_kernels_amx_emulated : &diptych_gemm_kernels_avx512;
    case DIPTYCH_LEVEL_AMX: return pairs ? &diptych_gemm_kernels_amx : &diptych_gemm_kernels_avx512;
    case DIPTYCH_LEVEL_AVX512_BF16: return pairs ? &diptych_gemm_kernels_avx512_bf16 : &diptych_gemm_kernels_avx512;
    case DIPTYCH_LEVEL_AVX512: return &diptych_gemm_kernels_avx512;
    case DIPTYCH_LEVEL_AVX2: return &diptych_gemm_kernels_avx2;
    case DIPTYCH_LEVEL_PORTABLE: case DIPTYCH_LEVEL_PLAIN: break;
    }
#endif
    (void)level;
    (void)pairs;
    return &diptych_gemm_kernels_portable;
}
