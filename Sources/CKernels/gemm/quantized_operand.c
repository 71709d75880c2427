// Quantised right operands: a tile at a time is dequantised to floats or bfloat16, then packed like any other.
#include "kernels.h"

/// Columns that are dequantised at a time where lines go along k; a multiple of every panel.
enum { columns_at_once = 64 };

/// Numbers `first..<first + count` of consecutive lines, each in `row` elements of `to`; whole blocks around them are
/// written, the first of them at `to`.
static void dequantize_lines(
    const diptych_gemm_kernels *kernels, const diptych_gemm_quantized_matrix *x, int is_rounded, ptrdiff_t line,
    ptrdiff_t lines, ptrdiff_t block, ptrdiff_t blocks, void *to, ptrdiff_t row, float *line_space) {
    const ptrdiff_t count = blocks * diptych_block_elements(x->format);
    const char *from = (const char *)x->blocks + line * x->line_size + block * diptych_block_bytes(x->format);
    for (ptrdiff_t i = 0; i < lines; i++, from += x->line_size) {
        float *numbers = is_rounded ? line_space : (float *)to + i * row;
        diptych_dequantize(x->format, from, numbers, blocks);
        if (x->scale != 1)
            for (ptrdiff_t j = 0; j < count; j++) numbers[j] *= x->scale;
        if (is_rounded) kernels->round(1, count, numbers, count, (uint16_t *)to + i * row, row);
    }
}

diptych_gemm_matrix diptych_gemm_dequantized(
    const diptych_gemm_kernels *kernels, const diptych_gemm_matrix *matrix, ptrdiff_t row, ptrdiff_t rows,
    ptrdiff_t column, ptrdiff_t columns) {
    const diptych_gemm_quantized_matrix *x = matrix->quantized;
    const ptrdiff_t elements = diptych_block_elements(x->format);
    const ptrdiff_t line = matrix->row == 1 ? column : row, lines = matrix->row == 1 ? columns : rows;
    const ptrdiff_t first = x->first + (matrix->row == 1 ? row : column), count = matrix->row == 1 ? rows : columns;
    const ptrdiff_t block = first / elements, blocks = quotient(first + count, elements) - block;
    // An odd number of cache lines, so that lines do not share sets.
    const ptrdiff_t step = (quotient(blocks * elements, 32) | 1) * 32;
    const ptrdiff_t size = element_size(matrix->type);
    const int is_rounded = matrix->type == DIPTYCH_BFLOAT16;
    const ptrdiff_t line_space = is_rounded ? multiple(blocks * elements * 4, 64) : 0;
    char *space = diptych_thread_buffer(DIPTYCH_BUFFER_DEQUANTIZED, (size_t)(line_space + lines * step * size));
    dequantize_lines(kernels, x, is_rounded, line, lines, block, blocks, space + line_space, step, (float *)space);
    const diptych_gemm_matrix tile = {
        .data = space + line_space + (first - block * elements) * size, .type = matrix->type,
        .row = matrix->row == 1 ? 1 : step, .column = matrix->row == 1 ? step : 1};
    return tile;
}

void diptych_gemm_pack_columns(
    const diptych_gemm_kernels *kernels, const diptych_gemm_matrix *b, ptrdiff_t left, ptrdiff_t right, ptrdiff_t from,
    ptrdiff_t to, ptrdiff_t units, diptych_unit *packed) {
    if (!b->quantized) return kernels->pack_b(b, left, right, from, to, units, packed);
    // Lines across k are short: all columns of them at once.
    const ptrdiff_t step = b->row == 1 ? columns_at_once : right - left;
    for (ptrdiff_t column = left; column < right; column += step) {
        const ptrdiff_t count = least(step, right - column);
        const diptych_gemm_matrix tile = diptych_gemm_dequantized(kernels, b, from, to - from, column, count);
        kernels->pack_b(&tile, 0, count, 0, to - from, units, packed + (column - left) * units);
    }
}

float diptych_gemm_quantized_element(const diptych_gemm_matrix *matrix, ptrdiff_t row, ptrdiff_t column) {
    const diptych_gemm_quantized_matrix *x = matrix->quantized;
    const ptrdiff_t at = x->first + (matrix->row == 1 ? row : column), line = matrix->row == 1 ? column : row;
    const ptrdiff_t elements = diptych_block_elements(x->format);
    float numbers[256];
    diptych_dequantize(
        x->format,
        (const char *)x->blocks + line * x->line_size + at / elements * diptych_block_bytes(x->format), numbers, 1);
    const float value = numbers[at % elements] * x->scale;
    return matrix->type == DIPTYCH_BFLOAT16 ? float_from_bits((uint32_t)bfloat16_from_float(value) << 16) : value;
}
