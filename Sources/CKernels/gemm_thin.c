// Products of few rows or columns, and the oracle of all products.
#include "gemm_internal.h"
#include <string.h>

static void write_element(int type, void *to, ptrdiff_t at, float value) {
    if (type == gemm_bfloat16)
        ((uint16_t *)to)[at] = gemm_rounded(value);
    else
        ((float *)to)[at] = value;
}

static void store(const gemm_product *p, ptrdiff_t row, ptrdiff_t column, float sum) {
    const ptrdiff_t at = row * p->c_row + column;
    float value = sum * p->alpha;
    if (p->bias) value += p->bias[column];
    if (p->addend.data) value += gemm_element(&p->addend, row, column);
    if (p->activate) {
        if (p->inactive) write_element(p->c_type, p->inactive, at, value);
        p->activate(&value, &value, 1);
    }
    write_element(p->c_type, p->c, at, value);
}

void gemm_compute_scalar(const gemm_product *p, ptrdiff_t from, ptrdiff_t to, ptrdiff_t left, ptrdiff_t right) {
    for (ptrdiff_t i = from; i < to; i++)
        for (ptrdiff_t j = left; j < right; j++) {
            double sum = 0;
            for (ptrdiff_t t = 0; t < p->term_count; t++)
                for (ptrdiff_t q = 0; q < p->terms[t].k; q++)
                    sum += (double)gemm_element(&p->terms[t].a, i, q) * (double)gemm_element(&p->terms[t].b, q, j);
            store(p, i, j, (float)sum);
        }
}

int gemm_is_thin(const gemm_product *p) { return p->m <= GEMM_THIN || p->n <= GEMM_THIN; }

/// Four or fewer rows of `x`, float32 and contiguous: as they lie when they are, otherwise a copy.
static const float *thin_rows(
    const gemm_matrix *x, ptrdiff_t first, ptrdiff_t rows, ptrdiff_t k, float *copy, ptrdiff_t *step) {
    if (x->type == gemm_float32 && x->column == 1) {
        *step = x->row;
        return (const float *)x->data + first * x->row;
    }
    for (ptrdiff_t r = 0; r < rows; r++)
        for (ptrdiff_t q = 0; q < k; q++) copy[r * k + q] = gemm_element(x, first + r, q);
    *step = k;
    return copy;
}

static gemm_matrix turned_over(const gemm_matrix *x) {
    const gemm_matrix y = {x->data, x->type, x->column, x->row};
    return y;
}

/// `c[r][j - left] = sum over p of a[r][p] b[p][j]` for the columns `left..<right` of a wide operand.
static void multiply_thin(
    const gemm_kernels *kernels, int rows, const float *a, ptrdiff_t a_row, const gemm_matrix *b, ptrdiff_t k,
    ptrdiff_t left, ptrdiff_t right, float *c, ptrdiff_t c_row) {
    // Numbers of a tile of blocks: they stay in the second-level cache.
    enum { most = 1 << 16 };
    const int is_blocks = b->type == gemm_blocks;
    // Of a wide operand that is one column or one row thick, both distances may be 1.
    if (b->column == 1 && (b->row != 1 || k == 1)) {
        for (int r = 0; r < rows; r++) memset(c + r * c_row, 0, (size_t)(right - left) * sizeof(float));
        if (!is_blocks) return kernels->thin_along_n(rows, a, a_row, b, k, left, right, c, c_row);
        // Four rows are one sum, so that the result does not depend on where tiles end.
        const ptrdiff_t lines = gemm_multiple(gemm_quotient(most, right - left), 4);
        for (ptrdiff_t p = 0; p < k; p += lines) {
            const ptrdiff_t count = gemm_least(lines, k - p);
            const gemm_matrix tile = gemm_dequantized(kernels, b, p, count, left, right - left);
            kernels->thin_along_n(rows, a + p, a_row, &tile, count, 0, right - left, c, c_row);
        }
        return;
    }
    if (!is_blocks) return kernels->thin_along_k(rows, a, a_row, b, k, left, right, c, c_row);
    const ptrdiff_t lines = gemm_multiple(gemm_quotient(most, k > 0 ? k : 1), 4);
    for (ptrdiff_t j = left; j < right; j += lines) {
        const ptrdiff_t count = gemm_least(lines, right - j);
        const gemm_matrix tile = gemm_dequantized(kernels, b, 0, k, j, count);
        kernels->thin_along_k(rows, a, a_row, &tile, k, 0, count, c + j - left, c_row);
    }
}

/// Reads the wide operand once as it lies. With few columns, the transposed product is computed.
void gemm_compute_thin(
    int level, const gemm_product *p, ptrdiff_t from, ptrdiff_t to, ptrdiff_t left, ptrdiff_t right) {
    enum { block = 512 };
    const int turned = p->m > GEMM_THIN;
    const ptrdiff_t first = turned ? left : from, rows = (turned ? right : to) - first;
    const ptrdiff_t begin = turned ? from : left, end = turned ? to : right;
    ptrdiff_t deepest = 0;
    for (ptrdiff_t t = 0; t < p->term_count; t++)
        if (p->terms[t].k > deepest) deepest = p->terms[t].k;
    float *sums = gemm_buffer(gemm_space_buffer, (size_t)(GEMM_THIN * (deepest + 2 * block)) * sizeof(float));
    float *share = sums + GEMM_THIN * block, *copy = share + GEMM_THIN * block;
    for (ptrdiff_t j = begin; j < end; j += block) {
        const ptrdiff_t stop = gemm_least(j + block, end);
        for (ptrdiff_t t = 0; t < p->term_count; t++) {
            const gemm_term *term = &p->terms[t];
            const gemm_kernels *kernels = gemm_kernels_for(level, term);
            const gemm_matrix thin = turned ? turned_over(&term->b) : term->a;
            const gemm_matrix wide = turned ? turned_over(&term->a) : term->b;
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
                turned ? store(p, i, first + r, sum) : store(p, first + r, i, sum);
            }
    }
}
