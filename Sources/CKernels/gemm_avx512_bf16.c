// Sixteen pairs of bfloat16 a step: `vdpbf16ps` adds both products of a pair to a float, flushing subnormal numbers.
#if defined(__x86_64__)
#include <immintrin.h>
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma"))), apply_to = function)
#define LANES 16
#define TILE_ROWS 14
#define PAIRS
#define MULTIPLY_PAIRS(sum, left, right) (floats)_mm512_dpbf16_ps((__m512)(sum), (__m512bh)(left), (__m512bh)(right))
// One instruction for both, which the compiler does not make of them: where a tile is one vector wide, the operand's way
// from memory through a register of its own would take a third more time.
#define MULTIPLY_PAIRS_AT(sum, unit, right) \
    __asm__("vdpbf16ps %1%{1to16%}, %2, %0" : "+v"(sum) : "m"(*(unit)), "v"(right))
#define ROUNDED(x) (halves)_mm512_cvtneps_pbh((__m512)(x))
#define ROUNDED_PAIR(x, y) (units)_mm512_cvtne2ps_pbh((__m512)(y), (__m512)(x))
#define NAME gemm_kernels_avx512_bf16
#include "gemm_template.h"
#pragma clang attribute pop
#endif
