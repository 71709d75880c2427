// Products of few rows or columns, and the oracle of all products.
#include "kernels.h"
#include <string.h>

static void write_element(enum diptych_type type, void *to, ptrdiff_t at, float value) {
    if (type == DIPTYCH_BFLOAT16)
        ((uint16_t *)to)[at] = bfloat16_from_float(value);
    else
        ((float *)to)[at] = value;
}

static void store(const diptych_gemm_product *p, ptrdiff_t row, ptrdiff_t column, float sum) {
    const ptrdiff_t at = row * p->c_row + column;
    float value = sum * p->epilogue.alpha;
    if (p->epilogue.bias) value += p->epilogue.bias[column];
    if (p->epilogue.addend.data) value += diptych_gemm_element(&p->epilogue.addend, row, column);
    if (p->epilogue.activate) {
        if (p->epilogue.preactivation) write_element(p->c_type, p->epilogue.preactivation, at, value);
        p->epilogue.activate(&value, &value, 1);
    }
    write_element(p->c_type, p->c, at, value);
}

void diptych_gemm_compute_plain(const diptych_gemm_product *p, const diptych_gemm_part *part) {
    for (ptrdiff_t i = part->from; i < part->to; i++)
        for (ptrdiff_t j = part->left; j < part->right; j++) {
            double sum = 0;
            for (ptrdiff_t t = 0; t < p->term_count; t++)
                for (ptrdiff_t q = 0; q < p->terms[t].k; q++)
                    sum += (double)diptych_gemm_element(&p->terms[t].a, i, q)
                        * (double)diptych_gemm_element(&p->terms[t].b, q, j);
            store(p, i, j, (float)sum);
        }
}

bool diptych_gemm_is_thin(const diptych_gemm_product *p) { return p->m <= GEMM_THIN || p->n <= GEMM_THIN; }

/// Four or fewer rows of `x` as contiguous float32: in place where they are so already, otherwise a copy.
static const float *thin_rows(
    const diptych_gemm_matrix *x, ptrdiff_t first, ptrdiff_t rows, ptrdiff_t k, float *copy, ptrdiff_t *step) {
    if (x->type == DIPTYCH_FLOAT32 && x->column == 1 && !x->quantized) {
        *step = x->row;
        return (const float *)x->data + first * x->row;
    }
    for (ptrdiff_t r = 0; r < rows; r++)
        for (ptrdiff_t q = 0; q < k; q++) copy[r * k + q] = diptych_gemm_element(x, first + r, q);
    *step = k;
    return copy;
}

static diptych_gemm_matrix transposed(const diptych_gemm_matrix *x) {
    return (diptych_gemm_matrix){x->data, x->type, x->column, x->row, x->quantized};
}

/// `c[r][j - left] = sum over p of a[r][p] b[p][j]` for the columns `left..<right` of a wide operand.
static void multiply_thin(
    const diptych_gemm_kernels *kernels, int rows, const float *a, ptrdiff_t a_row, const diptych_gemm_matrix *b,
    ptrdiff_t k, ptrdiff_t left, ptrdiff_t right, float *c, ptrdiff_t c_row) {
    // Numbers of a dequantised tile: they stay in the second-level cache.
    enum { most = 1 << 16 };
    // Of a wide operand that is one column or one row thick, both distances may be 1.
    if (b->column == 1 && (b->row != 1 || k == 1)) {
        for (int r = 0; r < rows; r++) memset(c + r * c_row, 0, (size_t)(right - left) * sizeof(float));
        if (!b->quantized) return kernels->thin_along_n(rows, a, a_row, b, k, left, right, c, c_row);
        // Four rows are one sum, so that the result does not depend on where tiles end.
        const ptrdiff_t lines = multiple(quotient(most, right - left), 4);
        for (ptrdiff_t p = 0; p < k; p += lines) {
            const ptrdiff_t count = least(lines, k - p);
            const diptych_gemm_matrix tile = diptych_gemm_dequantized(kernels, b, p, count, left, right - left);
            kernels->thin_along_n(rows, a + p, a_row, &tile, count, 0, right - left, c, c_row);
        }
        return;
    }
    if (!b->quantized) return kernels->thin_along_k(rows, a, a_row, b, k, left, right, c, c_row);
    const ptrdiff_t lines = multiple(quotient(most, k > 0 ? k : 1), 4);
    for (ptrdiff_t j = left; j < right; j += lines) {
        const ptrdiff_t count = least(lines, right - j);
        const diptych_gemm_matrix tile = diptych_gemm_dequantized(kernels, b, 0, k, j, count);
        kernels->thin_along_k(rows, a, a_row, &tile, k, 0, count, c + j - left, c_row);
    }
}

/// Reads the wide operand once, in place. With few columns, the transposed product is computed.
void diptych_gemm_compute_thin(
    enum diptych_kernel_level level, const diptych_gemm_product *p, const diptych_gemm_part *part) {
    enum { block = 512 };
    const int is_transposed = p->m > GEMM_THIN;
    const ptrdiff_t first = is_transposed ? part->left : part->from;
    const ptrdiff_t rows = (is_transposed ? part->right : part->to) - first;
    const ptrdiff_t begin = is_transposed ? part->from : part->left, end = is_transposed ? part->to : part->right;
    ptrdiff_t deepest = 0;
    for (ptrdiff_t t = 0; t < p->term_count; t++)
        if (p->terms[t].k > deepest) deepest = p->terms[t].k;
    float *sums = diptych_thread_buffer(
        DIPTYCH_BUFFER_WORK, (size_t)(GEMM_THIN * (deepest + 2 * block)) * sizeof(float));
    float *share = sums + GEMM_THIN * block, *copy = share + GEMM_THIN * block;
    for (ptrdiff_t j = begin; j < end; j += block) {
        const ptrdiff_t stop = least(j + block, end);
        for (ptrdiff_t t = 0; t < p->term_count; t++) {
            const diptych_gemm_term *term = &p->terms[t];
            const diptych_gemm_kernels *kernels = diptych_gemm_kernels_for(level, term);
            const diptych_gemm_matrix thin = is_transposed ? transposed(&term->b) : term->a;
            const diptych_gemm_matrix wide = is_transposed ? transposed(&term->a) : term->b;
            float *target = t == 0 ? sums : share;
            ptrdiff_t step;
            const float *lines = thin_rows(&thin, first, rows, term->k, copy, &step);
            multiply_thin(kernels, (int)rows, lines, step, &wide, term->k, j, stop, target, block);
            if (t > 0)
                for (ptrdiff_t r = 0; r < rows; r++)
                    for (ptrdiff_t i = 0; i < stop - j; i++) sums[r * block + i] += share[r * block + i];
        }
        for (ptrdiff_t i = j; i < stop; i++)
            for (ptrdiff_t r = 0; r < rows; r++) {
                const float sum = sums[r * block + i - j];
                is_transposed ? store(p, i, first + r, sum) : store(p, first + r, i, sum);
            }
    }
}
