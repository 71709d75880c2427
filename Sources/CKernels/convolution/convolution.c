// Implicit GEMM: the loop around the register tiles. convolution.h says what is computed.
#include "elements.h"
#include "rows.h"
#include "layout.h"
#include <string.h>

void diptych_convolution_finish(
    const diptych_convolution *p, const float *sums, ptrdiff_t output, ptrdiff_t at, ptrdiff_t count) {
    const ptrdiff_t step = p->result_pixel;
    float values[GEMM_COLUMNS], other[GEMM_COLUMNS];
    uint16_t halves[GEMM_COLUMNS];
    const int is_bfloat16 = p->result_type == DIPTYCH_BFLOAT16;
    diptych_affine(sums, 1, p->bias ? p->bias[output] : 0, values, count);
    if (p->residual) {
        // The residual may be the result itself: it is read before anything is written.
        const uint16_t *narrower = (const uint16_t *)p->residual + at;
        const float *floats = (const float *)p->residual + at;
        if (is_bfloat16 && step == 1)
            diptych_bfloat16_to_float32(narrower, other, count);
        else if (is_bfloat16)
            for (ptrdiff_t i = 0; i < count; i++) other[i] = float_from_bits((uint32_t)narrower[i * step] << 16);
        else
            for (ptrdiff_t i = 0; i < count; i++) other[i] = floats[i * step];
        diptych_binary(DIPTYCH_ADD, values, 1, other, 1, values, count);
    }
    if (is_bfloat16) {
        uint16_t *to = (uint16_t *)p->result + at;
        diptych_float32_to_bfloat16(values, step == 1 ? to : halves, count);
        for (ptrdiff_t i = 0; step != 1 && i < count; i++) to[i * step] = halves[i];
    } else {
        float *to = (float *)p->result + at;
        if (step == 1) memcpy(to, values, (size_t)count * sizeof(float));
        for (ptrdiff_t i = 0; step != 1 && i < count; i++) to[i * step] = values[i];
    }
}

/// Finishes columns `first..<first + count` of one output channel, whose sums stand next to each other.
static void finish_columns(
    const diptych_convolution *p, const diptych_convolution_layout *l, const float *sums, ptrdiff_t image,
    ptrdiff_t output, ptrdiff_t top, ptrdiff_t first, ptrdiff_t count) {
    const ptrdiff_t at = image * p->result_image + output * p->result_step + top * p->result_row;
    if (l->row == p->out_width && p->result_row == p->out_width && p->result_pixel == 1)
        return diptych_convolution_finish(p, sums, output, at + first, count);
    for (ptrdiff_t q = first; q < first + count;) {
        const ptrdiff_t y = q / l->row, x = q % l->row, end = least((y + 1) * l->row, first + count);
        const ptrdiff_t inside = least(p->out_width - x, end - q);
        if (inside > 0)
            diptych_convolution_finish(
                p, sums + (q - first), output, at + y * p->result_row + x * p->result_pixel, inside);
        q = end;
    }
}

void diptych_convolution_compute(
    enum diptych_kernel_level level, const diptych_convolution *p, const void *packed,
    const diptych_convolution_part *part, void *space) {
    const ptrdiff_t image = part->image, images = part->images, top = part->top, bottom = part->bottom;
    const ptrdiff_t from = part->from, to = part->to;
    if (images <= 0 || top >= bottom || from >= to || p->out_width <= 0) return;
    const diptych_convolution_layout l = diptych_convolution_layout_of(level, p);
    const diptych_gemm_kernels *kernels = l.kernels;
    const ptrdiff_t band = bottom - top, rows = to - from, panel = 2 * kernels->lanes, size = l.is_bfloat16 ? 2 : 4;
    char *next = space;
    const char *stage = next;
    next += stage_bytes(p, &l, images, band);
    char *seen = next;
    next += channel_bytes(p, &l, band);
    ptrdiff_t *offsets = (ptrdiff_t *)next;
    next += offsets_bytes(&l);
    float *row = (float *)next;
    next += row_bytes(p);
    diptych_unit *packed_columns = (diptych_unit *)next;
    next += columns_bytes(&l);
    float *sums = (float *)next;

    ptrdiff_t channel_step = channel_elements(p, &l, band), image_step = p->channels * channel_step;
    if (l.direct) {
        stage = (const char *)p->image + (image * p->image_step + top * p->row_step) * size;
        channel_step = p->channel_step;
        image_step = p->image_step;
    } else {
        diptych_convolution_stage_band(p, &l, image, images, top, bottom, space, seen, row);
    }
    const ptrdiff_t staged = staged_rows(p, band), copy_step = l.compact ? staged * l.row : 1;
    for (ptrdiff_t c = 0, line = 0; c < p->channels; c++)
        for (ptrdiff_t i = 0; i < p->kernel_height; i++)
            for (ptrdiff_t j = 0; j < p->kernel_width; j++)
                offsets[line++] = c * channel_step + staged_index(p, staged, i) * l.row + j * copy_step;

    // Windows that begin in the padding between rows are computed too and left out at the end, so that all pixels of the
    // band are one run of columns. Each image begins with a panel.
    const ptrdiff_t pixels = column_count(p, &l, band);
    const ptrdiff_t span = multiple(least(pixels, GEMM_COLUMNS), panel);
    const ptrdiff_t packed_rows = multiple(p->outputs, kernels->rows), groups = quotient(rows, kernels->rows);
    const ptrdiff_t a_step = l.weight_in_place ? p->weight.row * size : PACKED_ROW * (ptrdiff_t)sizeof(diptych_unit);
    for (ptrdiff_t first = 0; first < pixels; first += GEMM_COLUMNS) {
        const ptrdiff_t width = least(GEMM_COLUMNS, pixels - first), columns = (images - 1) * span + width;
        for (ptrdiff_t i = 0; i < l.blocks; i++) {
            const ptrdiff_t start = i * l.elements, count = least(l.elements, l.k - start);
            const ptrdiff_t units = multiple(quotient(count, kernels->pair), kernels->unit_step);
            for (ptrdiff_t m = 0; m < images; m++)
                diptych_convolution_pack_columns(
                    &l, stage, offsets + start, count, units, first + m * image_step, width,
                    packed_columns + m * span * units);
            const char *a = l.weight_in_place ? (const char *)p->weight.data + from * a_step + start * size
                                          : (const char *)packed + (i * packed_rows + from) * a_step;
            for (ptrdiff_t g = 0; g < groups; g++) {
                const ptrdiff_t upper = g * rows / groups, lower = (g + 1) * rows / groups;
                float *tile = sums + upper * GEMM_COLUMNS;
                const diptych_tile_operands operands = {
                    .rows = (int)(lower - upper), .units = units, .a = a + upper * a_step, .a_step = a_step,
                    .b = packed_columns, .b_step = panel};
                const diptych_tile_epilogue epilogue = {
                    .c = tile, .c_row = GEMM_COLUMNS, .alpha = 1, .addend = i == 0 ? NULL : tile,
                    .addend_row = GEMM_COLUMNS};
                kernels->tiles(&operands, quotient(columns, kernels->lanes), &epilogue);
            }
        }
        for (ptrdiff_t o = 0; o < rows; o++)
            for (ptrdiff_t m = 0; m < images; m++)
                finish_columns(p, &l, sums + o * GEMM_COLUMNS + m * span, image + m, from + o, top, first, width);
    }
    if (kernels->end) kernels->end();
}
