// Vectors of eight floats with fused multiply-add.
#if defined(__x86_64__)
#include <immintrin.h>
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#define LANES 8
#define TILE_ROWS 6
#define HARDWARE_MAXIMUM(a, b) (floats)_mm256_max_ps((__m256)(a), (__m256)(b))
#define ALTERNATING_SUM(a, b, c) (floats)_mm256_fmaddsub_ps((__m256)(a), (__m256)(b), (__m256)(c))
#define ALTERNATING_DIFFERENCE(a, b, c) (floats)_mm256_fmsubadd_ps((__m256)(a), (__m256)(b), (__m256)(c))
#define NAME attention_kernels_avx2
#include "attention_template.h"
#pragma clang attribute pop
#endif
