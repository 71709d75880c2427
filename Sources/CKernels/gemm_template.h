// The kernels of the matrix product for vectors of LANES floats, at most TILE_ROWS rows a register tile. Included once
// a level, with LANES, TILE_ROWS, NAME and, where a unit is a pair of bfloat16, PAIRS and MULTIPLY_PAIRS or TILE_UNIT
// defined; MULTIPLY_PAIRS_AT too where one instruction spreads a unit and multiplies, ROUNDED and ROUNDED_PAIR where one
// rounds one or two vectors of floats to bfloat16.
#include "gemm_internal.h"
#include <string.h>

#ifdef PAIRS
#define UNIT_ELEMENTS 2
#else
#define UNIT_ELEMENTS 1
#endif
#define INLINE static inline __attribute__((always_inline))
#define PANEL (2 * LANES)

typedef float floats __attribute__((vector_size(4 * LANES)));
typedef float loose_floats __attribute__((vector_size(4 * LANES), aligned(4)));
typedef uint32_t units __attribute__((vector_size(4 * LANES)));
typedef uint32_t loose_units __attribute__((vector_size(4 * LANES), aligned(2)));
typedef uint16_t halves __attribute__((vector_size(2 * LANES)));
typedef uint32_t loose_unit __attribute__((aligned(2)));
typedef uint16_t loose_halves __attribute__((vector_size(2 * LANES), aligned(2)));

INLINE units widened(halves x) { return __builtin_convertvector(x, units); }

/// LANES neighbours as floats.
INLINE floats load(const void *from, int type) {
    if (type == gemm_float32) return (floats) * (const loose_floats *)from;
    units x = widened((halves) * (const loose_halves *)from);
    if (type == gemm_bfloat16) return (floats)(x << 16);
    units magnitude = (x & 0x7fff) << 13;
    units bits = (units)((floats)magnitude * 0x1p112f) | (x & 0x8000) << 16;
    return (floats)(bits | ((units)(magnitude >= 0x0f800000) & 0x7f800000));
}

INLINE size_t size_of(int type) { return type == gemm_float32 ? 4 : 2; }

/// Units along k of which `left` elements exist; zeros behind them.
INLINE units units_along(const char *from, int type, ptrdiff_t left) {
    const ptrdiff_t count = LANES * UNIT_ELEMENTS;
    char padded[4 * LANES] __attribute__((aligned(64)));
    if (left < count) {
        memset(padded, 0, sizeof padded);
        // Half of them, as k of 16 gives, without a call.
        if (left == count / 2)
            memcpy(padded, from, (size_t)(count / 2) * size_of(type));
        else if (left > 0)
            memcpy(padded, from, (size_t)left * size_of(type));
        from = padded;
    }
    if (UNIT_ELEMENTS == 2) return (units) * (const loose_units *)from;
    return (units)load(from, type);
}

/// Units of LANES neighbours across k, of which `left` exist, at a place along k of which `depth` elements are left.
INLINE units units_across(const char *from, int type, ptrdiff_t step, ptrdiff_t left, ptrdiff_t depth) {
    if (depth <= 0 || left <= 0) return (units){0};
    char padded[2][4 * LANES] __attribute__((aligned(64)));
    const char *next = from + step * (ptrdiff_t)size_of(type);
    if (left < LANES) {
        memset(padded, 0, sizeof padded);
        memcpy(padded[0], from, (size_t)left * size_of(type));
        if (UNIT_ELEMENTS == 2 && depth > 1) memcpy(padded[1], next, (size_t)left * size_of(type));
        from = padded[0];
        next = padded[1];
    }
    if (UNIT_ELEMENTS == 1) return (units)load(from, type);
    units low = widened((halves) * (const loose_halves *)from);
    return depth > 1 ? low | widened((halves) * (const loose_halves *)next) << 16 : low;
}

/// Transposes a square of units: each round interleaves the two halves of the list.
INLINE void transpose(units x[LANES]) {
    for (int round = 1; round < LANES; round *= 2) {
        units y[LANES];
#pragma clang loop unroll(full)
        for (int i = 0; i < LANES / 2; i++) {
#if LANES == 16
            y[2 * i] = __builtin_shufflevector(
                x[i], x[i + 8], 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
            y[2 * i + 1] = __builtin_shufflevector(
                x[i], x[i + 8], 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
#elif LANES == 8
            y[2 * i] = __builtin_shufflevector(x[i], x[i + 4], 0, 8, 1, 9, 2, 10, 3, 11);
            y[2 * i + 1] = __builtin_shufflevector(x[i], x[i + 4], 4, 12, 5, 13, 6, 14, 7, 15);
#else
            y[2 * i] = __builtin_shufflevector(x[i], x[i + 2], 0, 4, 1, 5);
            y[2 * i + 1] = __builtin_shufflevector(x[i], x[i + 2], 2, 6, 3, 7);
#endif
        }
#pragma clang loop unroll(full)
        for (int i = 0; i < LANES; i++) x[i] = y[i];
    }
}

#include "gemm_pack.inc"

#ifdef TILE_UNIT
#include "tile_product.h"

static void tiles(
    int rows, ptrdiff_t vectors, ptrdiff_t count, const void *a, ptrdiff_t a_step, const gemm_unit *b, float *c,
    ptrdiff_t c_row, float alpha, const float *addend, ptrdiff_t addend_row, const float *bias) {
    for (ptrdiff_t v = 0; v < vectors; v += 2) {
        const ptrdiff_t at = v * LANES;
        multiply_tiles(
            rows, v + 1 == vectors, count, a, a_step, b + at * count, PANEL, c + at, c_row, alpha,
            addend ? addend + at : NULL, addend_row, bias ? bias + at : NULL);
    }
}
#else
#include "gemm_tile.inc"
#endif

#include "gemm_thin.inc"

static void round_line(const float *from, uint16_t *to, ptrdiff_t count) {
    ptrdiff_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        units bits = (units) * (const loose_floats *)(from + i);
        units nan = (units)((bits & 0x7fffffff) > 0x7f800000);
        units even = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
        units result = (nan & (bits >> 16 | 0x40)) | (~nan & even);
        *(loose_halves *)(to + i) = __builtin_convertvector(result, halves);
    }
    for (; i < count; i++) to[i] = gemm_rounded(from[i]);
}

static void round_rows(
    ptrdiff_t rows, ptrdiff_t columns, const float *from, ptrdiff_t from_row, uint16_t *to, ptrdiff_t to_row) {
    for (ptrdiff_t r = 0; r < rows; r++) round_line(from + r * from_row, to + r * to_row, columns);
}

static void widen_rows(
    ptrdiff_t rows, ptrdiff_t columns, int type, const void *from, ptrdiff_t from_row, float *to, ptrdiff_t to_row) {
    const ptrdiff_t size = (ptrdiff_t)size_of(type);
    for (ptrdiff_t r = 0; r < rows; r++) {
        const gemm_matrix line = {(const char *)from + r * from_row * size, type, 0, 1};
        ptrdiff_t i = 0;
        for (; i + LANES <= columns; i += LANES)
            *(loose_floats *)(to + r * to_row + i) = load((const char *)line.data + i * size, type);
        for (; i < columns; i++) to[r * to_row + i] = gemm_element(&line, 0, i);
    }
}

const gemm_kernels NAME = {
    .rows = TILE_ROWS,
    .lanes = LANES,
    .pair = UNIT_ELEMENTS,
#ifdef TILE_UNIT
    .unit_step = LANES,
    .end = release_tiles,
#else
    .unit_step = 1,
#endif
    .pack_a = pack_a,
    .pack_b = pack_b,
    .tiles = tiles,
#ifdef ROUNDED
    .tiles_rounded = tiles_rounded,
#endif
    .thin_along_k = thin_along_k,
    .thin_along_n = thin_along_n,
    .round = round_rows,
    .widen = widen_rows,
};
