// The kernels of matrix products of the level in vectors/level_portable.inc.
#include "vectors/level_portable.inc"
#define NAME diptych_gemm_kernels_portable
#include "kernels.inc"
