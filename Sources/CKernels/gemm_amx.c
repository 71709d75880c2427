// The matrix unit of Intel processors since Sapphire Rapids: pairs of bfloat16, in tiles of 16 x 16 sums.
#if defined(__x86_64__)
#include <immintrin.h>
#pragma clang attribute push(__attribute__((target("amx-tile,amx-bf16,avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma"))), apply_to = function)
#define LANES 16
#define TILE_ROWS 32
#define PAIRS
#define TILE_UNIT
#define NAME gemm_kernels_amx
#include "gemm_template.h"
#pragma clang attribute pop
#endif
