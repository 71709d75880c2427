// As attention_avx512_bf16.c, all products on the matrix unit.
#if defined(__x86_64__)
#include <immintrin.h>
#pragma clang attribute push(__attribute__((target("amx-tile,amx-bf16,avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma"))), apply_to = function)
#define LANES 16
#define TILE_ROWS 32
#define PAIRS
#define TILE_UNIT
#define HARDWARE_MAXIMUM(a, b) (floats)_mm512_max_ps((__m512)(a), (__m512)(b))
#define ALTERNATING_SUM(a, b, c) (floats)_mm512_fmaddsub_ps((__m512)(a), (__m512)(b), (__m512)(c))
#define ALTERNATING_DIFFERENCE(a, b, c) (floats)_mm512_fmsubadd_ps((__m512)(a), (__m512)(b), (__m512)(c))
#define NAME attention_kernels_amx
#include "attention_template.h"
#pragma clang attribute pop
#endif
