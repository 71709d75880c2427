// The kernels of matrix products of the level in vectors/level_amx.inc.
#if defined(__x86_64__)
#include "vectors/level_amx.inc"
#define NAME diptych_gemm_kernels_amx
#include "kernels.inc"
#pragma clang attribute pop
#endif
