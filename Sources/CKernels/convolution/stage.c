// Staging: the padded, up-sampled and normalised rows of an image that the windows read.
#include "elements.h"
#include "rows.h"
#include "layout.h"
#include <string.h>

#define INLINE static inline __attribute__((always_inline))

/// One row of the image in the staged type: in place, or converted and normalised into `space`.
static const void *row_of(
    const diptych_convolution *p, const diptych_convolution_layout *l, ptrdiff_t image, ptrdiff_t channel, ptrdiff_t y,
    float *space) {
    const ptrdiff_t n = p->width, at = image * p->image_step + channel * p->channel_step + y * p->row_step;
    const uint16_t *halves = (const uint16_t *)p->image + at;
    const float *floats = (const float *)p->image + at;
    if (!p->mean && p->type == (l->is_bfloat16 ? DIPTYCH_BFLOAT16 : DIPTYCH_FLOAT32))
        return l->is_bfloat16 ? (const void *)halves : floats;
    if (p->type == DIPTYCH_BFLOAT16) {
        diptych_bfloat16_to_float32(halves, space, n);
        floats = space;
    } else if (p->type == DIPTYCH_FLOAT16) {
        diptych_float16_to_float32(halves, space, n);
        floats = space;
    }
    if (p->mean) {
        const ptrdiff_t c = image * p->channels + channel;
        diptych_normalize_channel(floats, p->mean[c], p->factor[c], p->shift[c], space, n);
        if (p->silu) diptych_unary(DIPTYCH_SILU, space, space, n);
    }
    // In place: every element is read before a narrower one is written over it.
    if (l->is_bfloat16) diptych_float32_to_bfloat16(space, (uint16_t *)space, n);
    return space;
}

/// Copies a short row: sixteen bytes at a time, the last of them perhaps twice.
INLINE void copy_row(char *to, const char *from, ptrdiff_t size) {
    if (size < 16 || size > 512) {
        memcpy(to, from, (size_t)size);
        return;
    }
    for (ptrdiff_t i = 0; i + 16 < size; i += 16) __builtin_memcpy(to + i, from + i, 16);
    __builtin_memcpy(to + size - 16, from + size - 16, 16);
}

/// Writes a row of the image into a padded row of `length` pixels: pixel x of the image at `left + x`, up-sampled or spread.
INLINE void pad_row(
    const diptych_convolution *p, const void *row, void *staged, ptrdiff_t length, const ptrdiff_t size) {
    const ptrdiff_t step = p->repeat * p->spread;
    const ptrdiff_t extent = p->repeat > 1 ? p->width * p->repeat : (p->width - 1) * p->spread + 1;
    const ptrdiff_t begin = least(greatest(p->left, 0), length);
    const ptrdiff_t end = greatest(begin, least(p->left + extent, length));
    char *to = staged;
    if (step == 1) {
        const ptrdiff_t whole = length * size, low = begin * size, high = whole - end * size;
        if (whole >= 16 && low <= 16 && high <= 16) {
            memset(to, 0, 16);
            memset(to + whole - 16, 0, 16);
        } else {
            memset(to, 0, (size_t)low);
            memset(to + end * size, 0, (size_t)high);
        }
        copy_row(to + low, (const char *)row + (begin - p->left) * size, (end - begin) * size);
        return;
    }
    memset(to, 0, (size_t)(length * size));
    for (ptrdiff_t q = begin; q < end; q++) {
        const ptrdiff_t x = q - p->left;
        if (p->spread > 1 && x % p->spread != 0) continue;
        if (size == 2)
            ((uint16_t *)staged)[q] = ((const uint16_t *)row)[x / step];
        else
            ((uint32_t *)staged)[q] = ((const uint32_t *)row)[x / step];
    }
}

void diptych_convolution_stage_channel(
    const diptych_convolution *p, const diptych_convolution_layout *l, ptrdiff_t image, ptrdiff_t channel,
    ptrdiff_t first, ptrdiff_t rows, ptrdiff_t length, char *to, float *space) {
    const ptrdiff_t row_size = length * (l->is_bfloat16 ? 2 : 4);
    const int plain = p->repeat == 1 && p->spread == 1;
    ptrdiff_t before = -1;
    for (ptrdiff_t r = 0; r < rows; r++, to += row_size) {
        const ptrdiff_t y = first + r, source = plain ? y : y / p->repeat / p->spread;
        if (y < 0 || source >= p->height || (!plain && y % p->spread != 0)) {
            memset(to, 0, (size_t)row_size);
            before = -1;
        } else if (source == before) {
            memcpy(to, to - row_size, (size_t)row_size);
        } else {
            const void *row = row_of(p, l, image, channel, source, space);
            if (l->is_bfloat16)
                pad_row(p, row, to, length, 2);
            else
                pad_row(p, row, to, length, 4);
            before = source;
        }
    }
}

/// Copies `count` elements that are `step` apart.
INLINE void gather(char *to, const char *from, ptrdiff_t count, ptrdiff_t step, int is_bfloat16) {
    if (is_bfloat16 && step == 2)
        for (ptrdiff_t x = 0; x < count; x++) ((uint16_t *)to)[x] = ((const uint16_t *)from)[2 * x];
    else if (is_bfloat16)
        for (ptrdiff_t x = 0; x < count; x++) ((uint16_t *)to)[x] = ((const uint16_t *)from)[step * x];
    else if (step == 2)
        for (ptrdiff_t x = 0; x < count; x++) ((uint32_t *)to)[x] = ((const uint32_t *)from)[2 * x];
    else
        for (ptrdiff_t x = 0; x < count; x++) ((uint32_t *)to)[x] = ((const uint32_t *)from)[step * x];
}

static void gather_portable(char *to, const char *from, ptrdiff_t count, ptrdiff_t step, int is_bfloat16) {
    gather(to, from, count, step, is_bfloat16);
}

WIDE static void gather_wide(char *to, const char *from, ptrdiff_t count, ptrdiff_t step, int is_bfloat16) {
    gather(to, from, count, step, is_bfloat16);
}

void diptych_convolution_stage_band(
    const diptych_convolution *p, const diptych_convolution_layout *l, ptrdiff_t first_image, ptrdiff_t images,
    ptrdiff_t top, ptrdiff_t bottom, char *stage, char *seen, float *space) {
    const ptrdiff_t size = l->is_bfloat16 ? 2 : 4, length = seen_columns(p), rows = staged_rows(p, bottom - top);
    const ptrdiff_t step = channel_elements(p, l, bottom - top) * size, first = top * p->stride - p->top;
    for (ptrdiff_t image = first_image; image < first_image + images; image++)
        for (ptrdiff_t channel = 0; channel < p->channels; channel++, stage += step) {
            diptych_convolution_stage_channel(
                p, l, image, channel, first, rows, length, l->compact ? seen : stage, space);
            if (!l->compact) continue;
            for (ptrdiff_t r = 0; r < rows; r++) {
                const char *from = seen + r * length * size;
                char *to = stage + staged_index(p, rows, r) * l->row * size;
                for (ptrdiff_t j = 0; j < l->copies; j++, to += rows * l->row * size, from += size)
                    if (p->stride == 1)
                        copy_row(to, from, l->row * size);
                    else
                        (l->kernels->lanes < 8 ? gather_portable : gather_wide)(
                            to, from, l->row, p->stride, l->is_bfloat16);
            }
        }
}

