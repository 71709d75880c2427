// The kernels of matrix products of the level in vectors/level_avx2.inc.
#if defined(__x86_64__)
#include "vectors/level_avx2.inc"
#define NAME diptych_gemm_kernels_avx2
#include "kernels.inc"
#pragma clang attribute pop
#endif
