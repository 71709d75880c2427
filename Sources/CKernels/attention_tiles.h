// Register tiles of attention. Part of attention_template.h.
//
// The left operand's unit (row, u) lies at `a[row * row_step + u * unit_step]`, where one of the two steps is 1: rows of
// scores as they are written (`row_step` is `score_step`), or columns of them, and packed queries, as they are read
// (`row_step` 1). The right operand lies in panels `[units][PANEL]`. The matrix unit reads left operands by rows alone: for
// it packed queries lie by rows, and sums over queries are computed turned over (attention_backward.h).

enum { score_step = attention_step / UNIT_ELEMENTS };

#ifdef TILE_UNIT
#include "tile_product.h"

/// A tile whose left operand are rows of scores.
static void row_tile(
    int rows, int vectors, ptrdiff_t count, const gemm_unit *a, const gemm_unit *b, float *c, ptrdiff_t c_row,
    float alpha, int adds) {
    multiply_tiles(
        rows, vectors == 1, count, a, score_step * 4, b, PANEL, c, c_row, alpha, adds ? c : NULL, c_row, NULL);
}

/// A tile whose left operand are packed queries, of `count` units each.
static void column_tile(
    int rows, int vectors, ptrdiff_t count, const gemm_unit *a, ptrdiff_t unit_step, const gemm_unit *b, float *c,
    ptrdiff_t c_row, float alpha, int adds) {
    (void)unit_step;
    multiply_tiles(rows, vectors == 1, count, a, count * 4, b, PANEL, c, c_row, alpha, adds ? c : NULL, c_row, NULL);
}
#else

/// `rows` x `vectors`, both known where it is inlined: `c = alpha a b`, added to `c` where `adds`.
INLINE void tile_of(
    const int rows, const int vectors, const int row_step, ptrdiff_t count, const gemm_unit *a, ptrdiff_t unit_step,
    const gemm_unit *b, float *c, ptrdiff_t c_row, float alpha, int adds) {
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
            units left = (units){0} + a[r * row_step];
#pragma clang loop unroll(full)
            for (int v = 0; v < vectors; v++)
#ifdef PAIRS
                sum[r][v] = (floats)_mm512_dpbf16_ps((__m512)sum[r][v], (__m512bh)left, (__m512bh)right[v]);
#else
                sum[r][v] += (floats)left * (floats)right[v];
#endif
        }
        a += row_step == 1 ? unit_step : 1;
        b += PANEL;
    }
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++) {
#pragma clang loop unroll(full)
        for (int v = 0; v < vectors; v++) {
            floats *at = (floats *)(c + r * c_row + v * LANES);
            floats value = sum[r][v] * alpha;
            if (adds) value += *at;
            *at = value;
        }
    }
}

#define TILE_CASE(R)                                                                                                  \
    case R:                                                                                                           \
        if (R > TILE_ROWS) break;                                                                                     \
        if (vectors == 1)                                                                                             \
            tile_of(R <= TILE_ROWS ? R : 2, 1, row_step, count, a, unit_step, b, c, c_row, alpha, adds);              \
        else                                                                                                          \
            tile_of(R <= TILE_ROWS ? R : 2, 2, row_step, count, a, unit_step, b, c, c_row, alpha, adds);              \
        break;
#define TILE_CASES                                                                                                    \
    switch (rows) {                                                                                                   \
        TILE_CASE(2) TILE_CASE(4) TILE_CASE(6) TILE_CASE(8) TILE_CASE(10) TILE_CASE(12) TILE_CASE(14)                 \
    }

/// A tile whose left operand is read along its rows.
static void row_tile(
    int rows, int vectors, ptrdiff_t count, const gemm_unit *a, const gemm_unit *b, float *c, ptrdiff_t c_row,
    float alpha, int adds) {
    const int row_step = score_step;
    const ptrdiff_t unit_step = 1;
    TILE_CASES
}

/// A tile whose left operand is read along its columns, `unit_step` apart.
static void column_tile(
    int rows, int vectors, ptrdiff_t count, const gemm_unit *a, ptrdiff_t unit_step, const gemm_unit *b, float *c,
    ptrdiff_t c_row, float alpha, int adds) {
    const int row_step = 1;
    TILE_CASES
}
#endif

/// Rows of tile `tile` of `tiles` that share `rows` rows in nearly equal, even heights: where it begins, and its height.
INLINE int tile_height(ptrdiff_t rows, ptrdiff_t tiles, ptrdiff_t tile, ptrdiff_t *first) {
    const ptrdiff_t pairs = quotient(rows, 2);
    *first = tile * pairs / tiles * 2;
    return (int)((tile + 1) * pairs / tiles * 2 - *first);
}

/// `c = a b`, added where `adds`, for one tile of rows and `columns` columns: `count` units, in panels of `capacity`.
INLINE void multiply_rows(
    int rows, ptrdiff_t columns, ptrdiff_t count, const gemm_unit *a, const gemm_unit *b, ptrdiff_t capacity, float *c,
    ptrdiff_t c_row, int adds) {
    for (ptrdiff_t j = 0; j < columns; j += PANEL)
        row_tile(rows, columns - j <= LANES ? 1 : 2, count, a, b + j * capacity, c + j, c_row, 1, adds);
}

/// The same for a left operand that is read along its columns; `c = alpha a b`.
INLINE void multiply_columns(
    int rows, ptrdiff_t columns, ptrdiff_t count, const gemm_unit *a, ptrdiff_t unit_step, const gemm_unit *b,
    ptrdiff_t capacity, float *c, ptrdiff_t c_row, float alpha, int adds) {
    for (ptrdiff_t j = 0; j < columns; j += PANEL)
        column_tile(
            rows, columns - j <= LANES ? 1 : 2, count, a, unit_step, b + j * capacity, c + j, c_row, alpha, adds);
}
