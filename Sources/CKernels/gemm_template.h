// The kernels of the matrix product for vectors of LANES floats, at most TILE_ROWS rows a register tile. Included once
// a level, with LANES, TILE_ROWS, NAME and, where a unit is a pair of bfloat16, PAIRS and MULTIPLY_PAIRS defined.
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
        if (left > 0) memcpy(padded, from, (size_t)left * size_of(type));
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

INLINE void pack_a_typed(
    const gemm_matrix *a, int type, ptrdiff_t row, ptrdiff_t rows, ptrdiff_t from, ptrdiff_t to, ptrdiff_t count,
    gemm_unit *packed) {
    const char *data = a->data;
    const ptrdiff_t size = (ptrdiff_t)size_of(type), width = LANES * UNIT_ELEMENTS;
    if (a->column == 1) {
        for (ptrdiff_t i = 0; i < rows; i++) {
            const char *line = data + ((row + i) * a->row + from) * size;
            for (ptrdiff_t u = 0; u < count; u += LANES)
                *(loose_units *)(packed + i * GEMM_STRIDE + u) =
                    units_along(line + u * UNIT_ELEMENTS * size, type, to - from - u * UNIT_ELEMENTS);
        }
        return;
    }
    for (ptrdiff_t i = 0; i < rows; i += LANES) {
        for (ptrdiff_t p = from; (p - from) < count * UNIT_ELEMENTS; p += width) {
            units x[LANES];
#pragma clang loop unroll(full)
            for (int u = 0; u < LANES; u++) {
                ptrdiff_t at = p + u * UNIT_ELEMENTS;
                x[u] = units_across(
                    data + (row + i + at * a->column) * size, type, a->column, rows - i, to - at);
            }
            transpose(x);
            gemm_unit *target = packed + i * GEMM_STRIDE + (p - from) / UNIT_ELEMENTS;
#pragma clang loop unroll(full)
            for (int r = 0; r < LANES; r++)
                if (i + r < rows) *(loose_units *)(target + r * GEMM_STRIDE) = x[r];
        }
    }
}

static void pack_a(
    const gemm_matrix *a, ptrdiff_t row, ptrdiff_t rows, ptrdiff_t from, ptrdiff_t to, ptrdiff_t count,
    gemm_unit *packed) {
#ifdef PAIRS
    pack_a_typed(a, gemm_bfloat16, row, rows, from, to, count, packed);
#else
    switch (a->type) {
    case gemm_float32: pack_a_typed(a, gemm_float32, row, rows, from, to, count, packed); break;
    case gemm_bfloat16: pack_a_typed(a, gemm_bfloat16, row, rows, from, to, count, packed); break;
    default: pack_a_typed(a, gemm_float16, row, rows, from, to, count, packed);
    }
#endif
}

INLINE void pack_b_typed(
    const gemm_matrix *b, int type, ptrdiff_t left, ptrdiff_t right, ptrdiff_t from, ptrdiff_t to, ptrdiff_t count,
    gemm_unit *packed) {
    const char *data = b->data;
    const ptrdiff_t size = (ptrdiff_t)size_of(type);
    if (b->column == 1) {
        // Line by line, since neighbouring columns lie together.
        for (ptrdiff_t u = 0; u < count; u++) {
            ptrdiff_t at = from + u * UNIT_ELEMENTS;
            const char *line = data + at * b->row * size;
            gemm_unit *target = packed + u * PANEL;
            for (ptrdiff_t column = left; column < right; column += PANEL, target += count * PANEL)
#pragma clang loop unroll(full)
                for (int half = 0; half < 2; half++)
                    *(units *)(target + half * LANES) = units_across(
                        line + (column + half * LANES) * size, type, b->row, right - column - half * LANES, to - at);
        }
        return;
    }
    for (ptrdiff_t column = left; column < right; column += PANEL, packed += count * PANEL) {
        for (int half = 0; half < 2; half++) {
            ptrdiff_t first = column + half * LANES;
            for (ptrdiff_t u = 0; u < count; u += LANES) {
                units x[LANES];
                ptrdiff_t at = from + u * UNIT_ELEMENTS;
#pragma clang loop unroll(full)
                for (int c = 0; c < LANES; c++)
                    x[c] = first + c < right
                        ? units_along(data + ((first + c) * b->column + at) * size, type, to - at)
                        : (units){0};
                transpose(x);
                gemm_unit *target = packed + u * PANEL + half * LANES;
#pragma clang loop unroll(full)
                for (int i = 0; i < LANES; i++)
                    if (u + i < count) *(units *)(target + i * PANEL) = x[i];
            }
        }
    }
}

static void pack_b(
    const gemm_matrix *b, ptrdiff_t left, ptrdiff_t right, ptrdiff_t from, ptrdiff_t to, ptrdiff_t count,
    gemm_unit *packed) {
#ifdef PAIRS
    pack_b_typed(b, gemm_bfloat16, left, right, from, to, count, packed);
#else
    switch (b->type) {
    case gemm_float32: pack_b_typed(b, gemm_float32, left, right, from, to, count, packed); break;
    case gemm_bfloat16: pack_b_typed(b, gemm_bfloat16, left, right, from, to, count, packed); break;
    default: pack_b_typed(b, gemm_float16, left, right, from, to, count, packed);
    }
#endif
}

#ifndef OWN_TILE
/// A register tile of `rows` x `vectors`, both known where it is inlined.
INLINE void tile_of(
    const int rows, const int vectors, ptrdiff_t count, const gemm_unit *a, const gemm_unit *b, float *c,
    ptrdiff_t c_row, float alpha, float beta, const float *bias) {
    floats sum[TILE_ROWS][2];
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++)
#pragma clang loop unroll(full)
        for (int v = 0; v < vectors; v++) sum[r][v] = (floats){0};
    for (ptrdiff_t u = 0; u < count; u++) {
        units right[2];
#pragma clang loop unroll(full)
        for (int v = 0; v < vectors; v++) right[v] = *(const units *)(b + v * LANES);
#pragma clang loop unroll(full)
        for (int r = 0; r < rows; r++) {
            units left = (units){0} + a[r * GEMM_STRIDE];
#pragma clang loop unroll(full)
            for (int v = 0; v < vectors; v++)
#ifdef PAIRS
                sum[r][v] = MULTIPLY_PAIRS(sum[r][v], left, right[v]);
#else
                sum[r][v] += (floats)left * (floats)right[v];
#endif
        }
        a += 1;
        b += PANEL;
    }
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++) {
#pragma clang loop unroll(full)
        for (int v = 0; v < vectors; v++) {
            loose_floats *at = (loose_floats *)(c + r * c_row + v * LANES);
            floats value = sum[r][v] * alpha;
            if (bias) value += *(const loose_floats *)(bias + v * LANES);
            if (beta != 0) value += *at * beta;
            *at = value;
        }
    }
}

#define TILE_CASE(R)                                                                            \
    case R:                                                                                     \
        if (R > TILE_ROWS) break;                                                               \
        if (half)                                                                               \
            tile_of(R <= TILE_ROWS ? R : 1, 1, count, a, b, c, c_row, alpha, beta, bias);       \
        else                                                                                    \
            tile_of(R <= TILE_ROWS ? R : 1, 2, count, a, b, c, c_row, alpha, beta, bias);       \
        break;

static void tile(
    int rows, int half, ptrdiff_t count, const gemm_unit *a, const gemm_unit *b, float *c, ptrdiff_t c_row, float alpha,
    float beta, const float *bias) {
    switch (rows) {
        TILE_CASE(1) TILE_CASE(2) TILE_CASE(3) TILE_CASE(4) TILE_CASE(5) TILE_CASE(6) TILE_CASE(7)
        TILE_CASE(8) TILE_CASE(9) TILE_CASE(10) TILE_CASE(11) TILE_CASE(12) TILE_CASE(13) TILE_CASE(14)
    }
}
#endif

INLINE float total(floats x) {
    float sum = 0;
    for (int i = 0; i < LANES; i++) sum += x[i];
    return sum;
}

INLINE void thin_along_k_of(
    const int rows, const int columns, int type, const float *a, ptrdiff_t a_row, const gemm_matrix *b, ptrdiff_t k,
    ptrdiff_t column, float *c, ptrdiff_t c_row) {
    const char *line = (const char *)b->data + column * b->column * (ptrdiff_t)size_of(type);
    const ptrdiff_t next = b->column * (ptrdiff_t)size_of(type);
    floats sum[4][4];
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++)
#pragma clang loop unroll(full)
        for (int j = 0; j < columns; j++) sum[r][j] = (floats){0};
    ptrdiff_t p = 0;
    for (; p + LANES <= k; p += LANES) {
        floats right[4];
#pragma clang loop unroll(full)
        for (int j = 0; j < columns; j++) right[j] = load(line + j * next + p * (ptrdiff_t)size_of(type), type);
#pragma clang loop unroll(full)
        for (int r = 0; r < rows; r++) {
            floats left = *(const loose_floats *)(a + r * a_row + p);
#pragma clang loop unroll(full)
            for (int j = 0; j < columns; j++) sum[r][j] += left * right[j];
        }
    }
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++)
#pragma clang loop unroll(full)
        for (int j = 0; j < columns; j++) {
            float whole = total(sum[r][j]);
            for (ptrdiff_t q = p; q < k; q++) whole += a[r * a_row + q] * gemm_element(b, q, column + j);
            c[r * c_row + j] = whole;
        }
}

INLINE void thin_along_k_typed(
    int type, int rows, const float *a, ptrdiff_t a_row, const gemm_matrix *b, ptrdiff_t k, ptrdiff_t left,
    ptrdiff_t right, float *c, ptrdiff_t c_row) {
    for (ptrdiff_t column = left; column < right;) {
        const int four = column + 4 <= right;
        float *to = c + (column - left);
        switch (rows * 2 + four) {
        case 2: thin_along_k_of(1, 1, type, a, a_row, b, k, column, to, c_row); break;
        case 3: thin_along_k_of(1, 4, type, a, a_row, b, k, column, to, c_row); break;
        case 4: thin_along_k_of(2, 1, type, a, a_row, b, k, column, to, c_row); break;
        case 5: thin_along_k_of(2, 4, type, a, a_row, b, k, column, to, c_row); break;
        case 6: thin_along_k_of(3, 1, type, a, a_row, b, k, column, to, c_row); break;
        case 7: thin_along_k_of(3, 4, type, a, a_row, b, k, column, to, c_row); break;
        case 8: thin_along_k_of(4, 1, type, a, a_row, b, k, column, to, c_row); break;
        case 9: thin_along_k_of(4, 4, type, a, a_row, b, k, column, to, c_row); break;
        }
        column += four ? 4 : 1;
    }
}

static void thin_along_k(
    int rows, const float *a, ptrdiff_t a_row, const gemm_matrix *b, ptrdiff_t k, ptrdiff_t left, ptrdiff_t right,
    float *c, ptrdiff_t c_row) {
    switch (b->type) {
    case gemm_float32: thin_along_k_typed(gemm_float32, rows, a, a_row, b, k, left, right, c, c_row); break;
    case gemm_bfloat16: thin_along_k_typed(gemm_bfloat16, rows, a, a_row, b, k, left, right, c, c_row); break;
    default: thin_along_k_typed(gemm_float16, rows, a, a_row, b, k, left, right, c, c_row);
    }
}

/// Adds the sum of four rows of `b`, each times a number, to each row of `c`.
INLINE void thin_along_n_of(
    const int rows, int type, const float *a, ptrdiff_t a_row, const gemm_matrix *b, ptrdiff_t k, ptrdiff_t left,
    ptrdiff_t right, float *c, ptrdiff_t c_row) {
    const ptrdiff_t size = (ptrdiff_t)size_of(type), width = right - left;
    for (int r = 0; r < rows; r++) memset(c + r * c_row, 0, (size_t)width * sizeof(float));
    for (ptrdiff_t p = 0; p < k; p += 4) {
        const int depth = k - p < 4 ? (int)(k - p) : 4;
        const char *line[4];
        float factor[4][4];
        for (int i = 0; i < 4; i++) {
            line[i] = (const char *)b->data + ((p + (i < depth ? i : 0)) * b->row + left) * size;
            for (int r = 0; r < rows; r++) factor[r][i] = i < depth ? a[r * a_row + p + i] : 0;
        }
        ptrdiff_t j = 0;
        if (depth == 4) {
            for (; j + LANES <= width; j += LANES) {
                floats x[4];
#pragma clang loop unroll(full)
                for (int i = 0; i < 4; i++) x[i] = load(line[i] + j * size, type);
#pragma clang loop unroll(full)
                for (int r = 0; r < rows; r++) {
                    loose_floats *to = (loose_floats *)(c + r * c_row + j);
                    floats sum = x[0] * factor[r][0];
#pragma clang loop unroll(full)
                    for (int i = 1; i < 4; i++) sum += x[i] * factor[r][i];
                    *to += sum;
                }
            }
        }
        for (; j < width; j++)
            for (int r = 0; r < rows; r++) {
                float sum = gemm_element(b, p, left + j) * factor[r][0];
                for (int i = 1; i < depth; i++) sum += gemm_element(b, p + i, left + j) * factor[r][i];
                c[r * c_row + j] += sum;
            }
    }
}

INLINE void thin_along_n_typed(
    int type, int rows, const float *a, ptrdiff_t a_row, const gemm_matrix *b, ptrdiff_t k, ptrdiff_t left,
    ptrdiff_t right, float *c, ptrdiff_t c_row) {
    switch (rows) {
    case 1: thin_along_n_of(1, type, a, a_row, b, k, left, right, c, c_row); break;
    case 2: thin_along_n_of(2, type, a, a_row, b, k, left, right, c, c_row); break;
    case 3: thin_along_n_of(3, type, a, a_row, b, k, left, right, c, c_row); break;
    case 4: thin_along_n_of(4, type, a, a_row, b, k, left, right, c, c_row); break;
    }
}

static void thin_along_n(
    int rows, const float *a, ptrdiff_t a_row, const gemm_matrix *b, ptrdiff_t k, ptrdiff_t left, ptrdiff_t right,
    float *c, ptrdiff_t c_row) {
    switch (b->type) {
    case gemm_float32: thin_along_n_typed(gemm_float32, rows, a, a_row, b, k, left, right, c, c_row); break;
    case gemm_bfloat16: thin_along_n_typed(gemm_bfloat16, rows, a, a_row, b, k, left, right, c, c_row); break;
    default: thin_along_n_typed(gemm_float16, rows, a, a_row, b, k, left, right, c, c_row);
    }
}

static void round_to_bfloat16(const float *from, uint16_t *to, ptrdiff_t count) {
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

const gemm_kernels NAME = {
    .rows = TILE_ROWS,
    .lanes = LANES,
    .pair = UNIT_ELEMENTS,
#ifdef OWN_TILE
    .unit_step = LANES,
    .balances = 0,
    .begin = configure,
    .end = leave,
#else
    .unit_step = 1,
    .balances = 1,
#endif
    .pack_a = pack_a,
    .pack_b = pack_b,
    .tile = tile,
    .thin_along_k = thin_along_k,
    .thin_along_n = thin_along_n,
    .round = round_to_bfloat16,
};
