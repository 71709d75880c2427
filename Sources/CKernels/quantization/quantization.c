// Numbers in blocks: what a block is, and the kernels compiled for each instruction set.
#include "quantization.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "instruction_set.h"
#include "vectors/sixteen_lanes.h"

typedef uint8_t vuchar __attribute__((ext_vector_type(16)));

// Fused products would give other bits than the formats' other readers.
#pragma STDC FP_CONTRACT OFF

#define KERNEL(name) name##_scalar
#include "dequantize.inc"
#include "quantize.inc"
#undef KERNEL

#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)
#define KERNEL(name) name##_avx2
#include "dequantize.inc"
#include "quantize.inc"
#undef KERNEL
#pragma clang attribute pop
#endif

ptrdiff_t diptych_block_elements(enum diptych_block_format format) {
    switch (format) {
    case DIPTYCH_Q4_0: case DIPTYCH_Q4_1: case DIPTYCH_Q5_0: case DIPTYCH_Q5_1: case DIPTYCH_Q8_0: case DIPTYCH_IQ4_NL:
        return 32;
    case DIPTYCH_Q2_K: case DIPTYCH_Q3_K: case DIPTYCH_Q4_K: case DIPTYCH_Q5_K: case DIPTYCH_Q6_K: return 256;
    case DIPTYCH_F8_E4M3: case DIPTYCH_F8_E5M2: return 1;
    }
    abort();
}

ptrdiff_t diptych_block_bytes(enum diptych_block_format format) {
    switch (format) {
    case DIPTYCH_Q4_0: case DIPTYCH_IQ4_NL: return 18;
    case DIPTYCH_Q4_1: return 20;
    case DIPTYCH_Q5_0: return 22;
    case DIPTYCH_Q5_1: return 24;
    case DIPTYCH_Q8_0: return 34;
    case DIPTYCH_Q2_K: return 84;
    case DIPTYCH_Q3_K: return 110;
    case DIPTYCH_Q4_K: return 144;
    case DIPTYCH_Q5_K: return 176;
    case DIPTYCH_Q6_K: return 210;
    case DIPTYCH_F8_E4M3: case DIPTYCH_F8_E5M2: return 1;
    }
    abort();
}

bool diptych_can_quantize(enum diptych_block_format format) {
    return format == DIPTYCH_Q8_0 || format == DIPTYCH_Q4_0 || format == DIPTYCH_Q4_K || format == DIPTYCH_Q5_K ||
           format == DIPTYCH_Q6_K;
}

#if defined(__x86_64__)
// AVX-512 gains next to nothing here.
static int has_avx2(void) { return diptych_current_instruction_set() != DIPTYCH_SCALAR; }
#endif

void diptych_dequantize(enum diptych_block_format format, const void *blocks, float *y, ptrdiff_t count) {
#if defined(__x86_64__)
    if (has_avx2()) {
        dequantize_avx2(format, blocks, y, count);
        return;
    }
#endif
    dequantize_scalar(format, blocks, y, count);
}

void diptych_quantize(enum diptych_block_format format, const float *x, void *blocks, ptrdiff_t count) {
    if (!diptych_can_quantize(format)) abort();
#if defined(__x86_64__)
    if (has_avx2()) {
        quantize_avx2(format, x, blocks, count);
        return;
    }
#endif
    quantize_scalar(format, x, blocks, count);
}
