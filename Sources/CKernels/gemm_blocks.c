// Right factors in blocks: a tile at a time becomes floats or bfloat16, which are then packed like any others.
#include "gemm_internal.h"
#include "quantization.h"

/// Columns that are dequantised at a time where lines go along k; a multiple of every panel.
enum { columns_at_once = 64 };

/// Numbers `first..<first + count` of consecutive lines, each in `row` elements of `to`; whole blocks around them are
/// written, the first of them at `to`.
static void dequantize_lines(
    const gemm_kernels *kernels, const gemm_block_matrix *x, ptrdiff_t line, ptrdiff_t lines, ptrdiff_t block,
    ptrdiff_t blocks, void *to, ptrdiff_t row, float *line_space) {
    const ptrdiff_t count = blocks * diptych_block_elements(x->format);
    const char *from = (const char *)x->blocks + line * x->line_size + block * diptych_block_bytes(x->format);
    for (ptrdiff_t i = 0; i < lines; i++, from += x->line_size) {
        float *numbers = x->is_rounded ? line_space : (float *)to + i * row;
        diptych_dequantize(x->format, from, numbers, blocks);
        if (x->scale != 1)
            for (ptrdiff_t j = 0; j < count; j++) numbers[j] *= x->scale;
        if (x->is_rounded) kernels->round(1, count, numbers, count, (uint16_t *)to + i * row, row);
    }
}

gemm_matrix gemm_dequantized(
    const gemm_kernels *kernels, const gemm_matrix *matrix, ptrdiff_t row, ptrdiff_t rows, ptrdiff_t column,
    ptrdiff_t columns) {
    const gemm_block_matrix *x = matrix->data;
    const ptrdiff_t elements = diptych_block_elements(x->format);
    const ptrdiff_t line = matrix->row == 1 ? column : row, lines = matrix->row == 1 ? columns : rows;
    const ptrdiff_t first = x->first + (matrix->row == 1 ? row : column), count = matrix->row == 1 ? rows : columns;
    const ptrdiff_t block = first / elements, blocks = gemm_quotient(first + count, elements) - block;
    // An odd number of cache lines, so that lines do not share sets.
    const ptrdiff_t step = (gemm_quotient(blocks * elements, 32) | 1) * 32;
    const int type = x->is_rounded ? gemm_bfloat16 : gemm_float32;
    const ptrdiff_t line_space = x->is_rounded ? gemm_multiple(blocks * elements * 4, 64) : 0;
    char *space = gemm_buffer(gemm_tile_buffer, (size_t)(line_space + lines * step * gemm_size(type)));
    dequantize_lines(kernels, x, line, lines, block, blocks, space + line_space, step, (float *)space);
    const gemm_matrix tile = {
        space + line_space + (first - block * elements) * gemm_size(type), type, matrix->row == 1 ? 1 : step,
        matrix->row == 1 ? step : 1};
    return tile;
}

void gemm_pack_columns(
    const gemm_kernels *kernels, const gemm_matrix *b, ptrdiff_t left, ptrdiff_t right, ptrdiff_t from, ptrdiff_t to,
    ptrdiff_t units, gemm_unit *packed) {
    if (b->type != gemm_blocks) return kernels->pack_b(b, left, right, from, to, units, packed);
    // Lines across k are short: all columns of them at once.
    const ptrdiff_t step = b->row == 1 ? columns_at_once : right - left;
    for (ptrdiff_t column = left; column < right; column += step) {
        const ptrdiff_t count = gemm_least(step, right - column);
        const gemm_matrix tile = gemm_dequantized(kernels, b, from, to - from, column, count);
        kernels->pack_b(&tile, 0, count, 0, to - from, units, packed + (column - left) * units);
    }
}

float gemm_block_element(const gemm_matrix *matrix, ptrdiff_t row, ptrdiff_t column) {
    const gemm_block_matrix *x = matrix->data;
    const ptrdiff_t at = x->first + (matrix->row == 1 ? row : column), line = matrix->row == 1 ? column : row;
    const ptrdiff_t elements = diptych_block_elements(x->format);
    float numbers[256];
    diptych_dequantize(
        x->format,
        (const char *)x->blocks + line * x->line_size + at / elements * diptych_block_bytes(x->format), numbers, 1);
    const float value = numbers[at % elements] * x->scale;
    return x->is_rounded ? gemm_from_bits((uint32_t)gemm_rounded(value) << 16) : value;
}
