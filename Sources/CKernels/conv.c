// Convolutions: staging, patches, and the loop around the register tiles. conv.h says what is computed.
#include "conv.h"
#include "ElementKernels.h"
#include "RowKernels.h"
#include "gemm_internal.h"
#include <string.h>

/// From one packed row of the weight to the next, in units: an odd number of cache lines.
#define PACKED_ROW (GEMM_UNITS + 16)
#define INLINE static inline __attribute__((always_inline))

static ptrdiff_t most(ptrdiff_t a, ptrdiff_t b) { return a > b ? a : b; }

/// What follows from a product and a level.
typedef struct {
    const gemm_kernels *kernels;
    /// Elements of a patch, in `blocks` blocks of `elements`.
    ptrdiff_t k, blocks, elements;
    /// Whether bfloat16 is staged, else float32.
    int narrow;
    /// Whether the image is read where it lies.
    int direct;
    /// From one staged row to the next.
    ptrdiff_t row;
} layout;

static layout layout_of(int level, const conv_product *p) {
    layout l;
    const int narrow = p->type == gemm_bfloat16 && p->weight.type == gemm_bfloat16;
    l.kernels = gemm_kernels_of(level, narrow);
    l.narrow = l.kernels->pair == 2;
    l.k = p->channels * p->kernel_height * p->kernel_width;
    const ptrdiff_t whole = gemm_quotient(l.k, l.kernels->pair);
    l.blocks = most(1, gemm_quotient(whole, GEMM_UNITS));
    l.elements = gemm_multiple(most(1, gemm_quotient(whole, l.blocks)), 16) * l.kernels->pair;
    l.blocks = most(1, gemm_quotient(l.k, l.elements));
    l.direct = p->kernel_height == 1 && p->kernel_width == 1 && p->stride == 1 && p->top == 0 && p->left == 0
        && p->repeat == 1 && p->spread == 1 && !p->mean && p->type == (l.narrow ? gemm_bfloat16 : gemm_float32)
        && p->out_height <= p->height && p->out_width == p->width && p->row_step == p->width;
    l.row = l.direct ? p->row_step : (p->out_width - 1) * p->stride + p->kernel_width;
    return l;
}

/// Rows of the image that `rows` rows of the result see.
static ptrdiff_t staged_rows(const conv_product *p, ptrdiff_t rows) {
    return (rows - 1) * p->stride + p->kernel_height;
}

static size_t stage_size(const conv_product *p, const layout *l, ptrdiff_t rows) {
    if (l->direct) return 0;
    return (size_t)gemm_multiple(p->channels * staged_rows(p, rows) * l->row * (l->narrow ? 2 : 4), 64);
}

static size_t lines_size(const layout *l) { return (size_t)gemm_multiple(l->k * (ptrdiff_t)sizeof(ptrdiff_t), 64); }

static size_t row_space(const conv_product *p) { return (size_t)gemm_multiple((p->width + 16) * 4, 64); }

static size_t patches_size(const layout *l) { return (size_t)(l->elements * GEMM_COLUMNS) * sizeof(float); }

conv_plan conv_plan_for(int level, const conv_product *p, ptrdiff_t threads) {
    const layout l = layout_of(level, p);
    conv_plan plan = {1, l.kernels->rows, 0, 0};
    // A band that stays in the caches, of few rows more than it gives, and no fewer bands than threads can share.
    const ptrdiff_t row_size = most(1, p->channels * l.row * (l.narrow ? 2 : 4));
    const ptrdiff_t fits = ((4 << 20) / row_size - p->kernel_height) / p->stride + 1;
    const ptrdiff_t parts = most(1, gemm_least(2 * threads, p->out_height * p->out_width / 512));
    const ptrdiff_t share = l.direct ? gemm_quotient(4096, p->out_width) : most(fits, 4);
    plan.band_rows = most(1, gemm_least(share, gemm_quotient(p->out_height, parts)));
    const ptrdiff_t rows = gemm_multiple(p->outputs, l.kernels->rows);
    plan.packed_size = (size_t)(l.blocks * rows * PACKED_ROW) * sizeof(gemm_unit);
    plan.space_size = stage_size(p, &l, plan.band_rows) + lines_size(&l) + row_space(p) + patches_size(&l)
        + (size_t)(rows * GEMM_COLUMNS) * sizeof(float);
    return plan;
}

void conv_pack_weight(int level, const conv_product *p, ptrdiff_t from, ptrdiff_t to, void *packed) {
    const layout l = layout_of(level, p);
    const ptrdiff_t rows = gemm_multiple(p->outputs, l.kernels->rows);
    for (ptrdiff_t i = 0; i < l.blocks; i++) {
        const ptrdiff_t start = i * l.elements, end = gemm_least(start + l.elements, l.k);
        l.kernels->pack_a(
            &p->weight, from, to - from, start, end, l.elements / l.kernels->pair,
            (gemm_unit *)packed + (i * rows + from) * PACKED_ROW, PACKED_ROW);
    }
}

// MARK: Staging

/// One row of the image in the staged type: where it lies, or converted and normalised into `space`.
static const void *row_of(
    const conv_product *p, const layout *l, ptrdiff_t channel, ptrdiff_t y, float *space) {
    const ptrdiff_t n = p->width, at = channel * p->channel_step + y * p->row_step;
    const uint16_t *halves = (const uint16_t *)p->image + at;
    const float *floats = (const float *)p->image + at;
    if (!p->mean && p->type == (l->narrow ? gemm_bfloat16 : gemm_float32))
        return l->narrow ? (const void *)halves : floats;
    if (p->type == gemm_bfloat16) {
        diptych_bfloat16_to_float32(halves, space, n);
        floats = space;
    } else if (p->type == gemm_float16) {
        diptych_float16_to_float32(halves, space, n);
        floats = space;
    }
    if (p->mean) {
        diptych_normalize_channel(floats, p->mean[channel], p->factor[channel], p->shift[channel], space, n);
        if (p->silu) diptych_unary(DIPTYCH_SILU, space, space, n);
    }
    // In place: every element is read before a narrower one is written over it.
    if (l->narrow) diptych_float32_to_bfloat16(space, (uint16_t *)space, n);
    return space;
}

/// Places a row of the image into a staged row: pixel x of the image at `left + x`, up-sampled or spread.
INLINE void place(const conv_product *p, const void *row, void *staged, ptrdiff_t length, const size_t size) {
    const ptrdiff_t step = p->repeat * p->spread;
    const ptrdiff_t extent = p->repeat > 1 ? p->width * p->repeat : (p->width - 1) * p->spread + 1;
    const ptrdiff_t begin = gemm_least(most(p->left, 0), length), end = most(begin, gemm_least(p->left + extent, length));
    char *to = staged;
    if (step == 1) {
        memset(to, 0, (size_t)begin * size);
        memcpy(to + (size_t)begin * size, (const char *)row + (begin - p->left) * (ptrdiff_t)size, (size_t)(end - begin) * size);
        memset(to + (size_t)end * size, 0, (size_t)(length - end) * size);
        return;
    }
    memset(to, 0, (size_t)length * size);
    for (ptrdiff_t q = begin; q < end; q++) {
        const ptrdiff_t x = q - p->left;
        if (p->spread > 1 && x % p->spread != 0) continue;
        if (size == 2)
            ((uint16_t *)staged)[q] = ((const uint16_t *)row)[x / step];
        else
            ((uint32_t *)staged)[q] = ((const uint32_t *)row)[x / step];
    }
}

/// The rows that rows `top..<bottom` of the result see, `[channels][rows][l->row]`.
static void stage_band(
    const conv_product *p, const layout *l, ptrdiff_t top, ptrdiff_t bottom, void *stage, float *space) {
    const size_t size = l->narrow ? 2 : 4, row_size = (size_t)l->row * size;
    const ptrdiff_t rows = staged_rows(p, bottom - top);
    char *to = stage;
    for (ptrdiff_t channel = 0; channel < p->channels; channel++) {
        ptrdiff_t before = -1;
        for (ptrdiff_t r = 0; r < rows; r++, to += row_size) {
            const ptrdiff_t y = top * p->stride - p->top + r, source = y / p->repeat / p->spread;
            if (y < 0 || source >= p->height || y % p->spread != 0) {
                memset(to, 0, row_size);
                before = -1;
            } else if (source == before) {
                memcpy(to, to - row_size, row_size);
            } else {
                const void *row = row_of(p, l, channel, source, space);
                if (l->narrow)
                    place(p, row, to, l->row, 2);
                else
                    place(p, row, to, l->row, 4);
                before = source;
            }
        }
    }
}

// MARK: Patches

/// Packs the columns of the result that begin at `first`, `width` of them, into panels of `panel` columns: line i of the
/// patches is the staged pixels from `lines[i]` on, in order or at `offsets`.
INLINE void pack_patches_of(
    const int panel, const void *stage, const int narrow, const ptrdiff_t *lines, ptrdiff_t count, ptrdiff_t units,
    ptrdiff_t first, ptrdiff_t width, const int32_t *offsets, gemm_unit *packed) {
    uint32_t spare[2][32];
    for (ptrdiff_t u = 0; u < units; u++) {
        gemm_unit *to = packed + u * panel;
        for (ptrdiff_t column = 0; column < width; column += panel, to += units * panel) {
            const ptrdiff_t left = gemm_least(panel, width - column);
            if (narrow) {
                const uint16_t *low = (const uint16_t *)stage + (2 * u < count ? lines[2 * u] : 0);
                const uint16_t *high = (const uint16_t *)stage + (2 * u + 1 < count ? lines[2 * u + 1] : 0);
                if (2 * u >= count) {
                    memset(to, 0, (size_t)panel * sizeof(gemm_unit));
                    continue;
                }
                if (offsets || left < panel) {
                    uint16_t *a = (uint16_t *)spare[0], *b = (uint16_t *)spare[1];
                    memset(spare, 0, sizeof spare);
                    for (ptrdiff_t i = 0; i < left; i++) {
                        const ptrdiff_t at = offsets ? offsets[column + i] : first + column + i;
                        a[i] = low[at];
                        b[i] = high[at];
                    }
                    low = a;
                    high = b;
                } else {
                    low += first + column;
                    high += first + column;
                }
                if (2 * u + 1 < count)
#pragma clang loop vectorize(enable)
                    for (int i = 0; i < panel; i++) to[i] = low[i] | (uint32_t)high[i] << 16;
                else
                    for (int i = 0; i < panel; i++) to[i] = low[i];
            } else {
                const uint32_t *line = (const uint32_t *)stage + (u < count ? lines[u] : 0);
                if (u >= count) {
                    memset(to, 0, (size_t)panel * sizeof(gemm_unit));
                } else if (offsets || left < panel) {
                    for (ptrdiff_t i = 0; i < panel; i++)
                        to[i] = i < left ? line[offsets ? offsets[column + i] : first + column + i] : 0;
                } else {
                    memcpy(to, line + first + column, (size_t)panel * sizeof(gemm_unit));
                }
            }
        }
    }
}

static void pack_patches_8(
    const void *stage, const ptrdiff_t *lines, ptrdiff_t count, ptrdiff_t units, ptrdiff_t first, ptrdiff_t width,
    const int32_t *offsets, gemm_unit *packed) {
    pack_patches_of(8, stage, 0, lines, count, units, first, width, offsets, packed);
}

#if defined(__x86_64__)
#define WIDE __attribute__((target("avx2")))
#else
#define WIDE
#endif

WIDE static void pack_patches_16(
    const void *stage, const ptrdiff_t *lines, ptrdiff_t count, ptrdiff_t units, ptrdiff_t first, ptrdiff_t width,
    const int32_t *offsets, gemm_unit *packed) {
    pack_patches_of(16, stage, 0, lines, count, units, first, width, offsets, packed);
}

WIDE static void pack_patches_32(
    const void *stage, const ptrdiff_t *lines, ptrdiff_t count, ptrdiff_t units, ptrdiff_t first, ptrdiff_t width,
    const int32_t *offsets, gemm_unit *packed) {
    pack_patches_of(32, stage, 0, lines, count, units, first, width, offsets, packed);
}

WIDE static void pack_pairs_32(
    const void *stage, const ptrdiff_t *lines, ptrdiff_t count, ptrdiff_t units, ptrdiff_t first, ptrdiff_t width,
    const int32_t *offsets, gemm_unit *packed) {
    pack_patches_of(32, stage, 1, lines, count, units, first, width, offsets, packed);
}

static void pack_patches(
    const layout *l, const void *stage, const ptrdiff_t *lines, ptrdiff_t count, ptrdiff_t units, ptrdiff_t first,
    ptrdiff_t width, const int32_t *offsets, gemm_unit *packed) {
    switch (2 * l->kernels->lanes) {
    case 8: pack_patches_8(stage, lines, count, units, first, width, offsets, packed); break;
    case 16: pack_patches_16(stage, lines, count, units, first, width, offsets, packed); break;
    default:
        if (l->narrow)
            pack_pairs_32(stage, lines, count, units, first, width, offsets, packed);
        else
            pack_patches_32(stage, lines, count, units, first, width, offsets, packed);
    }
}

// MARK: Products

/// Finishes `count` sums of one output channel that stand next to each other in the result, the first at `at`.
static void finish(const conv_product *p, const float *sums, ptrdiff_t output, ptrdiff_t at, ptrdiff_t count) {
    const ptrdiff_t step = p->result_pixel;
    float values[GEMM_COLUMNS], other[GEMM_COLUMNS];
    uint16_t halves[GEMM_COLUMNS];
    const int narrow = p->result_type == gemm_bfloat16;
    diptych_affine(sums, 1, p->bias ? p->bias[output] : 0, values, count);
    if (p->residual) {
        // The residual may be the result itself: it is read before anything is written.
        const uint16_t *narrower = (const uint16_t *)p->residual + at;
        const float *floats = (const float *)p->residual + at;
        if (narrow && step == 1)
            diptych_bfloat16_to_float32(narrower, other, count);
        else if (narrow)
            for (ptrdiff_t i = 0; i < count; i++) other[i] = gemm_from_bits((uint32_t)narrower[i * step] << 16);
        else
            for (ptrdiff_t i = 0; i < count; i++) other[i] = floats[i * step];
        diptych_binary(DIPTYCH_ADD, values, 1, other, 1, values, count);
    }
    if (narrow) {
        uint16_t *to = (uint16_t *)p->result + at;
        diptych_float32_to_bfloat16(values, step == 1 ? to : halves, count);
        for (ptrdiff_t i = 0; step != 1 && i < count; i++) to[i * step] = halves[i];
    } else {
        float *to = (float *)p->result + at;
        if (step == 1) memcpy(to, values, (size_t)count * sizeof(float));
        for (ptrdiff_t i = 0; step != 1 && i < count; i++) to[i * step] = values[i];
    }
}

void conv_compute(
    int level, const conv_product *p, const void *packed, ptrdiff_t top, ptrdiff_t bottom, ptrdiff_t from,
    ptrdiff_t to, void *space) {
    if (top >= bottom || from >= to || p->out_width <= 0) return;
    const layout l = layout_of(level, p);
    const gemm_kernels *kernels = l.kernels;
    const ptrdiff_t band = bottom - top, rows = to - from, panel = 2 * kernels->lanes;
    const size_t size = l.narrow ? 2 : 4;
    char *next = space;
    const void *stage = next;
    next += stage_size(p, &l, band);
    ptrdiff_t *lines = (ptrdiff_t *)next;
    next += lines_size(&l);
    float *row = (float *)next;
    next += row_space(p);
    gemm_unit *patches = (gemm_unit *)next;
    next += patches_size(&l);
    float *sums = (float *)next;

    ptrdiff_t channel_step = staged_rows(p, band) * l.row;
    if (l.direct) {
        stage = (const char *)p->image + (size_t)(top * p->row_step) * size;
        channel_step = p->channel_step;
    } else {
        stage_band(p, &l, top, bottom, space, row);
    }
    for (ptrdiff_t c = 0, line = 0; c < p->channels; c++)
        for (ptrdiff_t i = 0; i < p->kernel_height; i++)
            for (ptrdiff_t j = 0; j < p->kernel_width; j++) lines[line++] = c * channel_step + i * l.row + j;

    // With a stride of 1, windows that begin in the margin are computed too and left out at the end, so that all pixels
    // of the band stand in one line.
    const int strided = p->stride > 1;
    const ptrdiff_t step = strided ? p->out_width : l.row, pixels = (band - 1) * step + p->out_width;
    const ptrdiff_t packed_rows = gemm_multiple(p->outputs, kernels->rows), groups = gemm_quotient(rows, kernels->rows);
    int32_t offsets[GEMM_COLUMNS];
    for (ptrdiff_t first = 0; first < pixels; first += GEMM_COLUMNS) {
        const ptrdiff_t width = gemm_least(GEMM_COLUMNS, pixels - first);
        for (ptrdiff_t i = 0; strided && i < width; i++) {
            const ptrdiff_t q = first + i;
            offsets[i] = (int32_t)((q / step * l.row + q % step) * p->stride);
        }
        for (ptrdiff_t i = 0; i < l.blocks; i++) {
            const ptrdiff_t start = i * l.elements, count = gemm_least(l.elements, l.k - start);
            const ptrdiff_t units = gemm_multiple(gemm_quotient(count, kernels->pair), kernels->unit_step);
            pack_patches(&l, stage, lines + start, count, units, first, width, strided ? offsets : NULL, patches);
            for (ptrdiff_t g = 0; g < groups; g++) {
                const ptrdiff_t upper = g * rows / groups, lower = (g + 1) * rows / groups;
                const gemm_unit *a = (const gemm_unit *)packed + (i * packed_rows + from + upper) * PACKED_ROW;
                for (ptrdiff_t j = 0; j < width; j += panel) {
                    float *tile = sums + upper * GEMM_COLUMNS + j;
                    kernels->tile(
                        (int)(lower - upper), 0, units, a, PACKED_ROW * (ptrdiff_t)sizeof(gemm_unit),
                        patches + j * units, tile, GEMM_COLUMNS, 1, i == 0 ? NULL : tile, GEMM_COLUMNS, NULL);
                }
            }
        }
        for (ptrdiff_t o = 0; o < rows; o++)
            for (ptrdiff_t q = first; q < first + width;) {
                const ptrdiff_t y = q / step, x = q % step, end = gemm_least((y + 1) * step, first + width);
                const ptrdiff_t count = gemm_least(p->out_width - x, end - q);
                if (count > 0)
                    finish(
                        p, sums + o * GEMM_COLUMNS + (q - first), from + o,
                        (from + o) * p->result_step + (top + y) * p->result_row + x * p->result_pixel, count);
                q = end;
            }
    }
    if (kernels->end) kernels->end();
}
