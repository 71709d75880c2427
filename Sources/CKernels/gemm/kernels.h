// The micro-kernels of the matrix product, one table a level, and what the files of this folder share. The convolution
// uses them too.
#pragma once
#include "gemm.h"
#include "memory/thread_buffer.h"
#include "vectors/numbers.h"
#include "vectors/tile_epilogue.h"

/// The most units along k that are packed at a time.
#define GEMM_UNITS 512
/// The most columns that are packed at a time.
#define GEMM_COLUMNS 256
/// The most blocks of k that a tile takes one after the other.
#define GEMM_SEGMENTS 16
/// Products with at most this many rows or columns are not packed.
#define GEMM_THIN 4

/// The micro-kernels of one level for one kind of unit.
typedef struct {
    /// The most rows of a register tile; its columns are two vectors of `lanes`.
    int rows, lanes;
    /// 2 when a unit is a pair of bfloat16, otherwise 1.
    int pair;
    /// Packed units come in multiples of this, zeros behind the last.
    int unit_step;

    /// Packs `rows` rows of `a` from `row`, units of elements `from..<to` along k, into rows of `packed_row` units.
    void (*pack_a)(
        const diptych_gemm_matrix *a, ptrdiff_t row, ptrdiff_t rows, ptrdiff_t from, ptrdiff_t to, ptrdiff_t units,
        diptych_unit *packed, ptrdiff_t packed_row);
    /// Packs columns `left..<right` of `b` into panels `[units][2 * lanes]`, zeros behind the last column.
    void (*pack_b)(
        const diptych_gemm_matrix *b, ptrdiff_t left, ptrdiff_t right, ptrdiff_t from, ptrdiff_t to, ptrdiff_t units,
        diptych_unit *packed);
    /// Register tiles side by side: any number of rows up to `rows` by `vectors` times `lanes` columns, from the beginning
    /// of a panel on (`b_step` is `2 * lanes`). `c` is float32.
    void (*tiles)(
        const diptych_tile_operands *operands, ptrdiff_t vectors, const diptych_tile_epilogue *epilogue);
    /// The same with `c` in bfloat16, rounded as `round` does, but subnormal numbers become zero, as they do in the
    /// products; null where there is none.
    void (*tiles_rounded)(
        const diptych_tile_operands *operands, ptrdiff_t vectors, const diptych_tile_epilogue *epilogue);
    /// `c[r][j - left] = sum over p of a[r][p] b[p][j]` for at most four rows, `b`'s columns contiguous.
    void (*thin_along_k)(
        int rows, const float *a, ptrdiff_t a_row, const diptych_gemm_matrix *b, ptrdiff_t k, ptrdiff_t left,
        ptrdiff_t right, float *c, ptrdiff_t c_row);
    /// The same where `b`'s rows are contiguous, added to what `c` holds.
    void (*thin_along_n)(
        int rows, const float *a, ptrdiff_t a_row, const diptych_gemm_matrix *b, ptrdiff_t k, ptrdiff_t left,
        ptrdiff_t right, float *c, ptrdiff_t c_row);
    /// Called on a thread after its tiles; may be null.
    void (*end)(void);
    /// Rounds floats to bfloat16, to nearest, ties to even.
    void (*round)(
        ptrdiff_t rows, ptrdiff_t columns, const float *from, ptrdiff_t from_row, uint16_t *to, ptrdiff_t to_row);
    /// Widens elements of any type to floats.
    void (*widen)(
        ptrdiff_t rows, ptrdiff_t columns, enum diptych_type type, const void *from, ptrdiff_t from_row, float *to,
        ptrdiff_t to_row);
} diptych_gemm_kernels;

extern const diptych_gemm_kernels diptych_gemm_kernels_portable;
#if defined(__x86_64__)
extern const diptych_gemm_kernels diptych_gemm_kernels_avx2, diptych_gemm_kernels_avx512,
    diptych_gemm_kernels_avx512_bf16, diptych_gemm_kernels_amx, diptych_gemm_kernels_amx_emulated;
#endif

/// The kernels of a level; `pairs` when both operands are bfloat16, which not every level multiplies as such.
const diptych_gemm_kernels *diptych_gemm_kernels_of(enum diptych_kernel_level level, bool pairs);

/// The kernels that multiply a term.
static inline const diptych_gemm_kernels *diptych_gemm_kernels_for(
    enum diptych_kernel_level level, const diptych_gemm_term *term) {
    return diptych_gemm_kernels_of(level, term->a.type == DIPTYCH_BFLOAT16 && term->b.type == DIPTYCH_BFLOAT16);
}

/// A tile of a quantised matrix, dequantised into a buffer of the thread's: a matrix of the same type that begins with
/// `row` and `column`.
diptych_gemm_matrix diptych_gemm_dequantized(
    const diptych_gemm_kernels *kernels, const diptych_gemm_matrix *x, ptrdiff_t row, ptrdiff_t rows, ptrdiff_t column,
    ptrdiff_t columns);

/// The kernels' `pack_b`, for a quantised matrix too.
void diptych_gemm_pack_columns(
    const diptych_gemm_kernels *kernels, const diptych_gemm_matrix *b, ptrdiff_t left, ptrdiff_t right, ptrdiff_t from,
    ptrdiff_t to, ptrdiff_t units, diptych_unit *packed);

/// One number of a quantised matrix; slow.
float diptych_gemm_quantized_element(const diptych_gemm_matrix *x, ptrdiff_t row, ptrdiff_t column);

/// Products of few rows or columns, and the oracle; `diptych_gemm_compute` chooses.
bool diptych_gemm_is_thin(const diptych_gemm_product *product);
void diptych_gemm_compute_thin(
    enum diptych_kernel_level level, const diptych_gemm_product *product, const diptych_gemm_part *part);
void diptych_gemm_compute_plain(const diptych_gemm_product *product, const diptych_gemm_part *part);

/// One element of a matrix, whatever its type.
static inline float diptych_gemm_element(const diptych_gemm_matrix *x, ptrdiff_t row, ptrdiff_t column) {
    if (x->quantized) return diptych_gemm_quantized_element(x, row, column);
    ptrdiff_t at = row * x->row + column * x->column;
    switch (x->type) {
    case DIPTYCH_FLOAT32: return ((const float *)x->data)[at];
    case DIPTYCH_BFLOAT16: return float_from_bits((uint32_t)((const uint16_t *)x->data)[at] << 16);
    case DIPTYCH_FLOAT16: return float_from_float16(((const uint16_t *)x->data)[at]);
    }
}
