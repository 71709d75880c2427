// What the files of the matrix product share among themselves.
#pragma once
#include "gemm.h"

/// A unit is what one 32-bit lane multiplies: a float, or a pair of bfloat16 neighbours along k.
typedef uint32_t gemm_unit;

/// The most units along k that are packed at a time.
#define GEMM_UNITS 512
/// The most columns that are packed at a time.
#define GEMM_COLUMNS 256
/// The most blocks of k that a tile takes one after the other.
#define GEMM_SEGMENTS 16
/// Products with at most this many rows or columns are not packed.
#define GEMM_THIN 4

/// One level's kernels for one kind of unit.
typedef struct {
    /// The most rows of a register tile; its columns are two vectors of `lanes`.
    int rows, lanes;
    /// 2 when a unit is a pair of bfloat16, otherwise 1.
    int pair;
    /// Packed units come in multiples of this, zeros behind the last.
    int unit_step;

    /// Packs `rows` rows of `a` from `row`, units of elements `from..<to` along k, into rows of `packed_row` units.
    void (*pack_a)(
        const gemm_matrix *a, ptrdiff_t row, ptrdiff_t rows, ptrdiff_t from, ptrdiff_t to, ptrdiff_t units,
        gemm_unit *packed, ptrdiff_t packed_row);
    /// Packs columns `left..<right` of `b` into panels `[units][2 * lanes]`, zeros behind the last column.
    void (*pack_b)(
        const gemm_matrix *b, ptrdiff_t left, ptrdiff_t right, ptrdiff_t from, ptrdiff_t to, ptrdiff_t units,
        gemm_unit *packed);
    /// `c = alpha a b + addend + bias` for any number of rows up to `rows`, `a_step` bytes apart, and `vectors` times `lanes`
    /// columns, from the beginning of a panel on. Addend and bias may be null; the addend may be `c`.
    void (*tiles)(
        int rows, ptrdiff_t vectors, ptrdiff_t units, const void *a, ptrdiff_t a_step, const gemm_unit *b, float *c,
        ptrdiff_t c_row, float alpha, const float *addend, ptrdiff_t addend_row, const float *bias);
    /// The same with results rounded as `round` does, but subnormal numbers become zero, as they do in the products; null
    /// where there is none.
    void (*tiles_rounded)(
        int rows, ptrdiff_t vectors, ptrdiff_t units, const void *a, ptrdiff_t a_step, const gemm_unit *b, uint16_t *c,
        ptrdiff_t c_row, float alpha, const float *addend, ptrdiff_t addend_row, const float *bias);
    /// `c[r][j - left] = sum over p of a[r][p] b[p][j]` for at most four rows, `b`'s columns contiguous.
    void (*thin_along_k)(
        int rows, const float *a, ptrdiff_t a_row, const gemm_matrix *b, ptrdiff_t k, ptrdiff_t left, ptrdiff_t right,
        float *c, ptrdiff_t c_row);
    /// The same where `b`'s rows are contiguous, added to what `c` holds.
    void (*thin_along_n)(
        int rows, const float *a, ptrdiff_t a_row, const gemm_matrix *b, ptrdiff_t k, ptrdiff_t left, ptrdiff_t right,
        float *c, ptrdiff_t c_row);
    /// Called on a thread after its tiles; may be null.
    void (*end)(void);
    /// Rounds floats to bfloat16, to nearest, ties to even.
    void (*round)(
        ptrdiff_t rows, ptrdiff_t columns, const float *from, ptrdiff_t from_row, uint16_t *to, ptrdiff_t to_row);
    /// Widens elements of any type to floats.
    void (*widen)(
        ptrdiff_t rows, ptrdiff_t columns, int type, const void *from, ptrdiff_t from_row, float *to,
        ptrdiff_t to_row);
} gemm_kernels;

extern const gemm_kernels gemm_kernels_portable;
#if defined(__x86_64__)
extern const gemm_kernels gemm_kernels_avx2, gemm_kernels_avx512, gemm_kernels_avx512_bf16, gemm_kernels_amx,
    gemm_kernels_amx_emulated;
#endif

/// The kernels of a level; `pairs` when both operands are bfloat16, which not every level multiplies as such.
const gemm_kernels *gemm_kernels_of(int level, int pairs);

/// The kernels that multiply a term.
static inline const gemm_kernels *gemm_kernels_for(int level, const gemm_term *term) {
    return gemm_kernels_of(
        level, term->a.type == gemm_bfloat16 && (term->b.type == gemm_bfloat16 || term->b.type == gemm_blocks));
}

/// The thread's buffers: for packed rows, for tiles of dequantised numbers, for everything else.
enum { gemm_rows_buffer, gemm_space_buffer, gemm_tile_buffer, gemm_buffer_count };

/// A buffer of the thread; its contents last until the next call.
void *gemm_buffer(int which, size_t size);

/// A part of a matrix in blocks, dequantised into the thread's tile buffer: a matrix of floats, or of bfloat16 where the
/// numbers are to be rounded, that begins with `row` and `column`.
gemm_matrix gemm_dequantized(
    const gemm_kernels *kernels, const gemm_matrix *x, ptrdiff_t row, ptrdiff_t rows, ptrdiff_t column,
    ptrdiff_t columns);

/// The kernels' `pack_b`, for a matrix in blocks too.
void gemm_pack_columns(
    const gemm_kernels *kernels, const gemm_matrix *b, ptrdiff_t left, ptrdiff_t right, ptrdiff_t from, ptrdiff_t to,
    ptrdiff_t units, gemm_unit *packed);

/// One number of a matrix in blocks; slow.
float gemm_block_element(const gemm_matrix *x, ptrdiff_t row, ptrdiff_t column);

/// Products of few rows or columns, and the oracle; `gemm_compute` chooses.
int gemm_is_thin(const gemm_product *product);
void gemm_compute_thin(
    int level, const gemm_product *product, ptrdiff_t from, ptrdiff_t to, ptrdiff_t left, ptrdiff_t right);
void gemm_compute_scalar(const gemm_product *product, ptrdiff_t from, ptrdiff_t to, ptrdiff_t left, ptrdiff_t right);

static inline ptrdiff_t gemm_least(ptrdiff_t a, ptrdiff_t b) { return a < b ? a : b; }
static inline ptrdiff_t gemm_quotient(ptrdiff_t a, ptrdiff_t b) { return (a + b - 1) / b; }
static inline ptrdiff_t gemm_multiple(ptrdiff_t a, ptrdiff_t b) { return gemm_quotient(a, b) * b; }
static inline ptrdiff_t gemm_size(int type) { return type == gemm_float32 ? 4 : 2; }

static inline float gemm_from_bits(uint32_t bits) {
    union {
        uint32_t bits;
        float value;
    } both = {bits};
    return both.value;
}

static inline uint32_t gemm_bits(float value) {
    union {
        float value;
        uint32_t bits;
    } both = {value};
    return both.bits;
}

static inline uint16_t gemm_rounded(float value) {
    uint32_t bits = gemm_bits(value);
    if ((bits & 0x7fffffff) > 0x7f800000) return (uint16_t)(bits >> 16 | 0x40);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

/// Half to single precision: the exponent is moved by a product, which also makes subnormal numbers right.
static inline float gemm_half(uint16_t half) {
    uint32_t magnitude = (uint32_t)(half & 0x7fff) << 13;
    float scaled = gemm_from_bits(magnitude) * 0x1p112f;
    uint32_t bits = gemm_bits(scaled) | (uint32_t)(half & 0x8000) << 16;
    if (magnitude >= 0x0f800000) bits |= 0x7f800000;
    return gemm_from_bits(bits);
}

/// One element of a matrix, whatever its type.
static inline float gemm_element(const gemm_matrix *x, ptrdiff_t row, ptrdiff_t column) {
    ptrdiff_t at = row * x->row + column * x->column;
    switch (x->type) {
    case gemm_blocks: return gemm_block_element(x, row, column);
    case gemm_float32: return ((const float *)x->data)[at];
    case gemm_bfloat16: return gemm_from_bits((uint32_t)((const uint16_t *)x->data)[at] << 16);
    default: return gemm_half(((const uint16_t *)x->data)[at]);
    }
}
