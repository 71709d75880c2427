// How the operands of a convolution are laid out; for the files of this folder. convolution.h says what is computed.
#pragma once
#include "convolution.h"
#include "gemm/kernels.h"

/// From one packed row of the weight to the next, in units: an odd number of cache lines.
#define PACKED_ROW (GEMM_UNITS + 16)

/// Compiles a function for the levels whose vectors have eight lanes or more.
#if defined(__x86_64__)
#define WIDE __attribute__((target("avx2")))
#else
#define WIDE
#endif

/// What follows from a product and a level.
typedef struct {
    const diptych_gemm_kernels *kernels;
    /// Rows of the im2col matrix (elements that a window sees), in `blocks` blocks of `elements`.
    ptrdiff_t k, blocks, elements;
    /// Whether bfloat16 is staged, else float32.
    int is_bfloat16;
    /// Whether the image, and whether the weight, is read in place.
    int direct, weight_in_place;
    /// Whether the image is staged once for each column of the window, with the pixels that this column reads alone: rows
    /// then have no padding between them, and with a stride, rows that one window reads are contiguous.
    int compact;
    /// Such copies, or 1.
    ptrdiff_t copies;
    /// From one staged row to the next.
    ptrdiff_t row;
} diptych_convolution_layout;

/// The layout of a convolution on a level's kernels.
diptych_convolution_layout diptych_convolution_layout_of(
    enum diptych_kernel_level level, const diptych_convolution *product);

/// Rows of the image that `rows` rows of the result see.
static inline ptrdiff_t staged_rows(const diptych_convolution *p, ptrdiff_t rows) {
    return (rows - 1) * p->stride + p->kernel_height;
}

/// Columns of a row of the image that a row of the result sees.
static inline ptrdiff_t seen_columns(const diptych_convolution *p) {
    return (p->out_width - 1) * p->stride + p->kernel_width;
}

/// The staged elements of a channel.
static inline ptrdiff_t channel_elements(
    const diptych_convolution *p, const diptych_convolution_layout *l, ptrdiff_t rows) {
    return l->copies * staged_rows(p, rows) * l->row;
}

/// Columns of the product for `rows` rows of the result: its pixels, and the padding between rows, which is multiplied
/// too.
static inline ptrdiff_t column_count(
    const diptych_convolution *p, const diptych_convolution_layout *l, ptrdiff_t rows) {
    return rows > 0 ? (rows - 1) * l->row + p->out_width : 0;
}

/// Bytes of the parts of a thread's space: the staged rows,
static inline size_t stage_bytes(
    const diptych_convolution *p, const diptych_convolution_layout *l, ptrdiff_t images, ptrdiff_t rows) {
    if (l->direct) return 0;
    return (size_t)multiple(images * p->channels * channel_elements(p, l, rows) * (l->is_bfloat16 ? 2 : 4), 64);
}

/// one channel as the windows see it, before it is copied for each of their columns,
static inline size_t channel_bytes(const diptych_convolution *p, const diptych_convolution_layout *l, ptrdiff_t rows) {
    if (!l->compact) return 0;
    return (size_t)multiple(staged_rows(p, rows) * seen_columns(p) * (l->is_bfloat16 ? 2 : 4), 64);
}

/// the offset of each row of the im2col matrix in the staged rows,
static inline size_t offsets_bytes(const diptych_convolution_layout *l) {
    return (size_t)multiple(l->k * (ptrdiff_t)sizeof(ptrdiff_t), 64);
}

/// a row of the image while it is normalised,
static inline size_t row_bytes(const diptych_convolution *p) { return (size_t)multiple((p->width + 16) * 4, 64); }

/// and a packed block of the im2col matrix.
static inline size_t columns_bytes(const diptych_convolution_layout *l) {
    return (size_t)(l->elements * GEMM_COLUMNS) * sizeof(float);
}

/// The index of row r among the staged rows of a channel: rows that one window reads, a stride apart, follow each other.
static inline ptrdiff_t staged_index(const diptych_convolution *p, ptrdiff_t rows, ptrdiff_t r) {
    if (p->stride == 1) return r;
    const ptrdiff_t phase = r % p->stride;
    // Of the phases before, the first `rows % stride` have a row more.
    return phase * (rows / p->stride) + least(phase, rows % p->stride) + r / p->stride;
}

/// The rows of one channel that `rows` rows of windows see, from row `first` of the image on, each of `length` pixels.
void diptych_convolution_stage_channel(
    const diptych_convolution *p, const diptych_convolution_layout *l, ptrdiff_t image, ptrdiff_t channel,
    ptrdiff_t first, ptrdiff_t rows, ptrdiff_t length, char *to, float *space);

/// The rows of images that rows `top..<bottom` of the result see, `[images][channels][copies][rows][l->row]`.
void diptych_convolution_stage_band(
    const diptych_convolution *p, const diptych_convolution_layout *l, ptrdiff_t first_image, ptrdiff_t images,
    ptrdiff_t top, ptrdiff_t bottom, char *stage, char *seen, float *space);

/// The epilogue of `count` sums of one output channel that are contiguous in the result, the first at `at`: bias, residual,
/// rounding, storing.
void diptych_convolution_finish(
    const diptych_convolution *p, const float *sums, ptrdiff_t output, ptrdiff_t at, ptrdiff_t count);

/// Packs columns `first..<first + width` of the im2col matrix: its row i, of `count`, is the staged pixels from
/// `lines[i]` on.
void diptych_convolution_pack_columns(
    const diptych_convolution_layout *l, const void *stage, const ptrdiff_t *lines, ptrdiff_t count, ptrdiff_t units,
    ptrdiff_t first, ptrdiff_t width, diptych_unit *packed);
