// Small arithmetic that all kernels of matrices share, and elements of every type as float32, one at a time.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "element_type.h"

/// What one 32-bit lane multiplies: a float, or a pair of bfloat16 neighbours along the axis that is summed over.
typedef uint32_t diptych_unit;

static inline ptrdiff_t least(ptrdiff_t a, ptrdiff_t b) { return a < b ? a : b; }
static inline ptrdiff_t greatest(ptrdiff_t a, ptrdiff_t b) { return a > b ? a : b; }
/// a / b, rounded up.
static inline ptrdiff_t quotient(ptrdiff_t a, ptrdiff_t b) { return (a + b - 1) / b; }
/// The least multiple of b that is not below a.
static inline ptrdiff_t multiple(ptrdiff_t a, ptrdiff_t b) { return quotient(a, b) * b; }

/// Bytes of an element.
static inline ptrdiff_t element_size(enum diptych_type type) { return type == DIPTYCH_FLOAT32 ? 4 : 2; }

static inline float float_from_bits(uint32_t bits) {
    union {
        uint32_t bits;
        float value;
    } both = {bits};
    return both.value;
}

static inline uint32_t bits_of_float(float value) {
    union {
        float value;
        uint32_t bits;
    } both = {value};
    return both.bits;
}

/// To the nearest, ties to even; a NaN stays a quiet NaN.
static inline uint16_t bfloat16_from_float(float value) {
    uint32_t bits = bits_of_float(value);
    if ((bits & 0x7fffffff) > 0x7f800000) return (uint16_t)(bits >> 16 | 0x40);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

/// The exponent is moved by a product, which also makes subnormal numbers right.
static inline float float_from_float16(uint16_t half) {
    uint32_t magnitude = (uint32_t)(half & 0x7fff) << 13;
    float scaled = float_from_bits(magnitude) * 0x1p112f;
    uint32_t bits = bits_of_float(scaled) | (uint32_t)(half & 0x8000) << 16;
    if (magnitude >= 0x0f800000) bits |= 0x7f800000;
    return float_from_bits(bits);
}
