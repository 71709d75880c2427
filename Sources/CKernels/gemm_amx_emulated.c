// The kernels of gemm_amx.c on an emulated matrix unit: their proof where there is none.
#if defined(__x86_64__)
#include <immintrin.h>
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma"))), apply_to = function)
#define LANES 16
#define TILE_ROWS 32
#define PAIRS
#define TILE_UNIT
#define TILE_EMULATION
#define NAME gemm_kernels_amx_emulated
#include "gemm_template.h"
#pragma clang attribute pop
#endif
