// Channels-last images, as libraries take them: staging into them and finishing from them.
#include "layout.h"

/// Channels, or output channels, that are transposed at a time.
#define TRANSPOSED 64
/// Pixels of the result that are transposed at a time.
#define TRANSPOSED_PIXELS 256

static diptych_convolution_layout pixel_layout(enum diptych_kernel_level level, const diptych_convolution *p) {
    diptych_convolution_layout l = diptych_convolution_layout_of(level, p);
    l.direct = l.compact = 0;
    l.copies = 1;
    l.row = seen_columns(p);
    return l;
}

diptych_convolution_channels_last diptych_convolution_channels_last_for(
    enum diptych_kernel_level level, const diptych_convolution *p, ptrdiff_t rows) {
    const diptych_convolution_layout l = pixel_layout(level, p);
    diptych_convolution_channels_last x = {.rows = staged_rows(p, rows), .columns = l.row};
    x.type = l.is_bfloat16 ? DIPTYCH_BFLOAT16 : DIPTYCH_FLOAT32;
    x.stage_size = (size_t)(x.rows * x.columns * p->channels * element_size(x.type));
    const size_t channels = (size_t)multiple(TRANSPOSED * x.rows * x.columns * element_size(x.type), 64);
    const size_t lines = TRANSPOSED * TRANSPOSED_PIXELS * sizeof(float);
    x.space_size = channels + row_bytes(p);
    if (x.space_size < lines) x.space_size = lines;
    return x;
}

void diptych_convolution_stage_channels_last(
    enum diptych_kernel_level level, const diptych_convolution *p, ptrdiff_t image, ptrdiff_t top, ptrdiff_t bottom,
    void *stage, void *space) {
    const diptych_convolution_layout l = pixel_layout(level, p);
    const ptrdiff_t rows = staged_rows(p, bottom - top), pixels = rows * l.row, size = l.is_bfloat16 ? 2 : 4;
    char *channels = space;
    float *row = (float *)(channels + multiple(TRANSPOSED * pixels * size, 64));
    const ptrdiff_t pixel_units = p->channels / l.kernels->pair;
    for (ptrdiff_t first = 0; first < p->channels; first += TRANSPOSED) {
        const ptrdiff_t count = least(TRANSPOSED, p->channels - first);
        for (ptrdiff_t c = 0; c < count; c++)
            diptych_convolution_stage_channel(
                p, &l, image, first + c, top * p->stride - p->top, rows, l.row, channels + c * pixels * size, row);
        const diptych_gemm_matrix transposed = {
            .data = channels, .type = l.is_bfloat16 ? DIPTYCH_BFLOAT16 : DIPTYCH_FLOAT32, .row = 1, .column = pixels};
        l.kernels->pack_a(
            &transposed, 0, pixels, 0, count, count / l.kernels->pair,
            (diptych_unit *)stage + first / l.kernels->pair, pixel_units);
    }
    if (l.kernels->end) l.kernels->end();
}

void diptych_convolution_finish_channels_last(
    enum diptych_kernel_level level, const diptych_convolution *p, ptrdiff_t image, ptrdiff_t top, ptrdiff_t bottom,
    const float *sums, void *space) {
    const diptych_gemm_kernels *kernels = diptych_gemm_kernels_of(level, 0);
    const ptrdiff_t pixels = (bottom - top) * p->out_width, at = image * p->result_image + top * p->result_row;
    const diptych_gemm_matrix transposed = {
        .data = sums, .type = DIPTYCH_FLOAT32, .row = 1, .column = p->outputs};
    const int is_whole = p->result_row == p->out_width && p->result_pixel == 1;
    float *lines = space;
    for (ptrdiff_t first = 0, count; first < pixels; first += count) {
        // A row may end inside, where rows of the result follow each other.
        const ptrdiff_t y = first / p->out_width, x = first % p->out_width;
        count = least(TRANSPOSED_PIXELS, is_whole ? pixels - first : p->out_width - x);
        const ptrdiff_t position = at + y * p->result_row + x * p->result_pixel;
        for (ptrdiff_t output = 0; output < p->outputs; output += TRANSPOSED) {
            const ptrdiff_t outputs = least(TRANSPOSED, p->outputs - output);
            kernels->pack_a(
                &transposed, output, outputs, first, first + count, count, (diptych_unit *)lines, TRANSPOSED_PIXELS);
            for (ptrdiff_t o = 0; o < outputs; o++)
                diptych_convolution_finish(
                    p, lines + o * TRANSPOSED_PIXELS, output + o, position + (output + o) * p->result_step, count);
        }
    }
}
