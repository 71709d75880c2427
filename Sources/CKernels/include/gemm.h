/// Sums of matrix products with an epilogue, `c = activate(alpha (a1 b1 + a2 b2 + ...) + addend + bias)`, of float32,
/// bfloat16 and float16 operands, row-major or transposed, summed in float32.
///
/// Several terms serve a layer with low-rank adapters (`x W^T + h B^T`) and gradients that meet
/// (`dq Wq + dk Wk + ...`): `c` is written once. The caller splits a product among threads by rows and columns of `c`;
/// no sum over `k` is ever split, so the result does not depend on the number of threads. The blocking follows Goto and
/// van de Geijn, "Anatomy of High-Performance Matrix Multiplication" (2008): blocks of both operands are packed for the
/// cache, then multiplied by register tiles (micro-kernels). Rows of `a` that tiles can read in place are not packed.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "element_type.h"
#include "instruction_set.h"
#include "quantization.h"

/// A matrix in the blocks of quantization.h. Its lines are the rows of the stored weight; tiles of it are dequantised as
/// they are packed.
typedef struct {
    const void *blocks;
    enum diptych_block_format format;
    /// What each number is multiplied by.
    float scale;
    /// Bytes from one line to the next.
    ptrdiff_t line_size;
    /// Index of the matrix's first number in its lines.
    ptrdiff_t first;
} diptych_gemm_quantized_matrix;

/// A matrix whose rows or columns are contiguous: `row` or `column`, the distances in elements from one row and one
/// column to the next, is 1.
typedef struct {
    /// Null where `quantized` is not.
    const void *data;
    /// Of the elements; of a quantised matrix what its numbers are rounded to: DIPTYCH_BFLOAT16 where the left operand is
    /// of that type, otherwise DIPTYCH_FLOAT32.
    enum diptych_type type;
    ptrdiff_t row, column;
    /// Or null. `row` is 1 where its lines are the matrix's columns, `column` where they are its rows.
    const diptych_gemm_quantized_matrix *quantized;
} diptych_gemm_matrix;

/// One term: `a` is m x k, `b` k x n. Only `b` may be quantised.
typedef struct {
    ptrdiff_t k;
    diptych_gemm_matrix a, b;
} diptych_gemm_term;

/// What becomes of the sums of a product before they are written.
typedef struct {
    float alpha;
    /// m x n values of any type, row-major, or none when `data` is null; may be `c` itself.
    diptych_gemm_matrix addend;
    /// n values added to each row, or null.
    const float *bias;
    /// Applied to each sum before it is written, or null; `y` may be `x`.
    void (*activate)(const float *x, float *y, ptrdiff_t count);
    /// Where the sums before the activation go, in the type and layout of `c`, or null.
    void *preactivation;
} diptych_gemm_epilogue;

/// A sum of at least one term; `c` is m x n, row-major.
typedef struct {
    ptrdiff_t m, n;
    const diptych_gemm_term *terms;
    ptrdiff_t term_count;
    void *c;
    /// float32 or bfloat16.
    enum diptych_type c_type;
    ptrdiff_t c_row;
    diptych_gemm_epilogue epilogue;
} diptych_gemm_product;

/// How a product is best split: `row_block` rows of `a` are packed at a time into `packed_size` bytes (aligned to 64),
/// none when 0; within a block, parts begin at multiples of `row_step` rows and of `column_step` columns.
typedef struct {
    ptrdiff_t row_block, row_step, column_step;
    size_t packed_size;
} diptych_gemm_plan;

/// A part of `c`: rows `from..<to`, inside the block of rows that begins at `block`, and columns `left..<right`.
typedef struct {
    ptrdiff_t block, from, to, left, right;
} diptych_gemm_part;

/// The plan for a product.
diptych_gemm_plan diptych_gemm_plan_for(enum diptych_kernel_level level, const diptych_gemm_product *product);

/// Packs rows `from..<to` of the block of rows that begins at `block`; different rows may be packed at once.
void diptych_gemm_pack_rows(
    enum diptych_kernel_level level, const diptych_gemm_product *product, ptrdiff_t block, ptrdiff_t from, ptrdiff_t to,
    void *packed);

/// Computes a part of `c`, whose rows are all packed.
void diptych_gemm_compute(
    enum diptych_kernel_level level, const diptych_gemm_product *product, const void *packed,
    const diptych_gemm_part *part);

/// A buffer of this thread's for packed rows, aligned to 64 bytes, kept until the thread ends; its contents last until the
/// next call.
void *diptych_gemm_packing_buffer(size_t size);

/// The most that a processor core can do at a level: runs the register tile `repetitions` times on operands that stay in
/// its first-level cache, bfloat16 when `pairs`, and returns the number of floating-point operations.
double diptych_gemm_probe(enum diptych_kernel_level level, bool pairs, ptrdiff_t repetitions);
