// What the files of the convolution share among themselves. conv.h says what is computed.
#pragma once
#include "conv.h"
#include "gemm_internal.h"

/// From one packed row of the weight to the next, in units: an odd number of cache lines.
#define PACKED_ROW (GEMM_UNITS + 16)

/// Functions for the levels whose vectors have eight lanes or more.
#if defined(__x86_64__)
#define WIDE __attribute__((target("avx2")))
#else
#define WIDE
#endif

static inline ptrdiff_t conv_most(ptrdiff_t a, ptrdiff_t b) { return a > b ? a : b; }

/// What follows from a product and a level.
typedef struct {
    const gemm_kernels *kernels;
    /// Elements of a patch, in `blocks` blocks of `elements`.
    ptrdiff_t k, blocks, elements;
    /// Whether bfloat16 is staged, else float32.
    int narrow;
    /// Whether the image is read where it lies, and whether the tiles read the weight where it lies.
    int direct, weight_lies;
    /// Whether every column of the window has a copy of the image of its own, of the pixels that it sees alone: no
    /// margins between rows then, and with a stride, rows that windows see together lie together.
    int compact;
    /// Such copies, or 1.
    ptrdiff_t copies;
    /// From one staged row to the next.
    ptrdiff_t row;
} conv_layout;

/// The layout of a convolution on a level's kernels.
conv_layout conv_layout_of(int level, const conv_product *product);

/// Rows of the image that `rows` rows of the result see.
static inline ptrdiff_t conv_staged_rows(const conv_product *p, ptrdiff_t rows) {
    return (rows - 1) * p->stride + p->kernel_height;
}

/// Columns of a row of the image that a row of the result sees.
static inline ptrdiff_t conv_seen_columns(const conv_product *p) {
    return (p->out_width - 1) * p->stride + p->kernel_width;
}

/// The staged elements of a channel.
static inline ptrdiff_t conv_channel_size(const conv_product *p, const conv_layout *l, ptrdiff_t rows) {
    return l->copies * conv_staged_rows(p, rows) * l->row;
}

/// Columns of the product for `rows` rows of the result: its pixels, and the margins between them that are multiplied
/// too.
static inline ptrdiff_t conv_column_count(const conv_product *p, const conv_layout *l, ptrdiff_t rows) {
    return rows > 0 ? (rows - 1) * l->row + p->out_width : 0;
}

/// Bytes of the parts of a thread's space: the staged rows,
static inline size_t conv_stage_size(
    const conv_product *p, const conv_layout *l, ptrdiff_t images, ptrdiff_t rows) {
    if (l->direct) return 0;
    return (size_t)gemm_multiple(images * p->channels * conv_channel_size(p, l, rows) * (l->narrow ? 2 : 4), 64);
}

/// one channel as the windows see it, before it is copied for each of their columns,
static inline size_t conv_channel_space(const conv_product *p, const conv_layout *l, ptrdiff_t rows) {
    if (!l->compact) return 0;
    return (size_t)gemm_multiple(conv_staged_rows(p, rows) * conv_seen_columns(p) * (l->narrow ? 2 : 4), 64);
}

/// where each line of the patches begins in the staged rows,
static inline size_t conv_lines_size(const conv_layout *l) {
    return (size_t)gemm_multiple(l->k * (ptrdiff_t)sizeof(ptrdiff_t), 64);
}

/// a row of the image while it is normalised,
static inline size_t conv_row_space(const conv_product *p) { return (size_t)gemm_multiple((p->width + 16) * 4, 64); }

/// and a block of packed patches.
static inline size_t conv_patches_size(const conv_layout *l) {
    return (size_t)(l->elements * GEMM_COLUMNS) * sizeof(float);
}

/// Where row r of what is seen lies among the staged rows of a channel: those that windows see together, a stride apart,
/// follow each other.
static inline ptrdiff_t conv_slot_of(const conv_product *p, ptrdiff_t rows, ptrdiff_t r) {
    if (p->stride == 1) return r;
    const ptrdiff_t phase = r % p->stride;
    // Of the phases before, the first `rows % stride` have a row more.
    return phase * (rows / p->stride) + gemm_least(phase, rows % p->stride) + r / p->stride;
}

/// The rows of one channel that `rows` rows of windows see, from row `first` of the image on, each of `length` pixels.
void conv_stage_channel(
    const conv_product *p, const conv_layout *l, ptrdiff_t image, ptrdiff_t channel, ptrdiff_t first, ptrdiff_t rows,
    ptrdiff_t length, char *to, float *space);

/// The rows of images that rows `top..<bottom` of the result see, `[images][channels][copies][rows][l->row]`.
void conv_stage_band(
    const conv_product *p, const conv_layout *l, ptrdiff_t first_image, ptrdiff_t images, ptrdiff_t top,
    ptrdiff_t bottom, char *stage, char *seen, float *space);

/// Finishes `count` sums of one output channel that stand next to each other in the result, the first at `at`.
void conv_finish(const conv_product *p, const float *sums, ptrdiff_t output, ptrdiff_t at, ptrdiff_t count);

/// Packs columns `first..<first + width`: line i of the patches, of `count`, is the staged pixels from `lines[i]` on.
void conv_pack_patches(
    const conv_layout *l, const void *stage, const ptrdiff_t *lines, ptrdiff_t count, ptrdiff_t units, ptrdiff_t first,
    ptrdiff_t width, gemm_unit *packed);
