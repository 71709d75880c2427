// The kernels of matrix products of the level in vectors/level_avx512.inc.
#if defined(__x86_64__)
#include "vectors/level_avx512.inc"
#define NAME diptych_gemm_kernels_avx512
#include "kernels.inc"
#pragma clang attribute pop
#endif
