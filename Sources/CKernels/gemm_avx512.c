// Vectors of sixteen floats with fused multiply-add.
#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"))), apply_to = function)
#define LANES 16
#define TILE_ROWS 14
#define NAME gemm_kernels_avx512
#include "gemm_template.h"
#pragma clang attribute pop
#endif
