// Images whose channels lie together, as libraries take them: staging into them and finishing from them.
#include "conv_internal.h"

/// Channels, or output channels, that are turned at a time.
#define TURNED 64
/// Pixels of the result that are turned at a time.
#define TURNED_PIXELS 256

static conv_layout pixel_layout(int level, const conv_product *p) {
    conv_layout l = conv_layout_of(level, p);
    l.direct = l.compact = 0;
    l.copies = 1;
    l.row = conv_seen_columns(p);
    return l;
}

conv_pixels conv_pixels_for(int level, const conv_product *p, ptrdiff_t rows) {
    const conv_layout l = pixel_layout(level, p);
    conv_pixels x = {.rows = conv_staged_rows(p, rows), .columns = l.row};
    x.type = l.narrow ? gemm_bfloat16 : gemm_float32;
    x.stage_size = (size_t)(x.rows * x.columns * p->channels * gemm_size(x.type));
    const size_t channels = (size_t)gemm_multiple(TURNED * x.rows * x.columns * gemm_size(x.type), 64);
    const size_t lines = TURNED * TURNED_PIXELS * sizeof(float);
    x.space_size = channels + conv_row_space(p);
    if (x.space_size < lines) x.space_size = lines;
    return x;
}

void conv_stage_pixels(
    int level, const conv_product *p, ptrdiff_t image, ptrdiff_t top, ptrdiff_t bottom, void *stage, void *space) {
    const conv_layout l = pixel_layout(level, p);
    const ptrdiff_t rows = conv_staged_rows(p, bottom - top), pixels = rows * l.row, size = l.narrow ? 2 : 4;
    char *channels = space;
    float *row = (float *)(channels + gemm_multiple(TURNED * pixels * size, 64));
    const ptrdiff_t pixel_units = p->channels / l.kernels->pair;
    for (ptrdiff_t first = 0; first < p->channels; first += TURNED) {
        const ptrdiff_t count = gemm_least(TURNED, p->channels - first);
        for (ptrdiff_t c = 0; c < count; c++)
            conv_stage_channel(
                p, &l, image, first + c, top * p->stride - p->top, rows, l.row, channels + c * pixels * size, row);
        const gemm_matrix turned = {channels, l.narrow ? gemm_bfloat16 : gemm_float32, 1, pixels};
        l.kernels->pack_a(
            &turned, 0, pixels, 0, count, count / l.kernels->pair,
            (gemm_unit *)stage + first / l.kernels->pair, pixel_units);
    }
    if (l.kernels->end) l.kernels->end();
}

void conv_finish_pixels(
    int level, const conv_product *p, ptrdiff_t image, ptrdiff_t top, ptrdiff_t bottom, const float *sums,
    void *space) {
    const gemm_kernels *kernels = gemm_kernels_of(level, 0);
    const ptrdiff_t pixels = (bottom - top) * p->out_width, at = image * p->result_image + top * p->result_row;
    const gemm_matrix turned = {sums, gemm_float32, 1, p->outputs};
    const int is_whole = p->result_row == p->out_width && p->result_pixel == 1;
    float *lines = space;
    for (ptrdiff_t first = 0, count; first < pixels; first += count) {
        // A row may end inside, where rows of the result follow each other.
        const ptrdiff_t y = first / p->out_width, x = first % p->out_width;
        count = gemm_least(TURNED_PIXELS, is_whole ? pixels - first : p->out_width - x);
        const ptrdiff_t place = at + y * p->result_row + x * p->result_pixel;
        for (ptrdiff_t output = 0; output < p->outputs; output += TURNED) {
            const ptrdiff_t outputs = gemm_least(TURNED, p->outputs - output);
            kernels->pack_a(&turned, output, outputs, first, first + count, count, (gemm_unit *)lines, TURNED_PIXELS);
            for (ptrdiff_t o = 0; o < outputs; o++)
                conv_finish(p, lines + o * TURNED_PIXELS, output + o, place + (output + o) * p->result_step, count);
        }
    }
}
