/// Sums of matrix products, `c = alpha (a1 b1 + a2 b2 + ...) + addend + bias`, of float32, bfloat16 and float16 operands
/// that lie row-major or transposed, summed in float32.
///
/// Several terms serve a layer with low-rank adapters (`x W^T + h B^T`) and gradients that meet (`dq Wq + dk Wk + ...`):
/// `c` is written once. The caller shares a product among threads by its rows and columns; no sum over `k` is ever shared, so the result
/// does not depend on how. The plan follows Goto and van de Geijn, "Anatomy of High-Performance Matrix
/// Multiplication" (2008): blocks of both operands are packed for the cache, then multiplied by register tiles. Rows of
/// `a` that suit the tiles as they lie are not packed.
#pragma once
#include <stddef.h>
#include <stdint.h>

/// The type of a matrix's elements; `gemm_blocks` for a right factor whose numbers lie in blocks.
enum gemm_type { gemm_float32 = 0, gemm_bfloat16 = 1, gemm_float16 = 2, gemm_blocks = 3 };

/// The sets of kernels, from the oracle up. `gemm_portable` uses vectors of four floats (SSE2, NEON); `gemm_amx_emulated` is
/// `gemm_amx` on the emulated unit of TileEmulation.h.
enum gemm_level {
    gemm_scalar = 0,
    gemm_portable = 1,
    gemm_avx2 = 2,
    gemm_avx512 = 3,
    gemm_avx512_bf16 = 4,
    gemm_amx = 5,
    gemm_amx_emulated = 6
};

/// A matrix whose rows or columns are contiguous: `row` or `column` is 1. Distances count elements. For `gemm_blocks`,
/// `data` points to a gemm_block_matrix, and `row` is 1 where its lines are columns, `column` where they are rows.
typedef struct {
    const void *data;
    int type;
    ptrdiff_t row, column;
} gemm_matrix;

/// A matrix in blocks of quantization.h. Its lines are the rows of the stored weight; tiles of it are dequantised as they are
/// packed.
typedef struct {
    const void *blocks;
    /// An enum diptych_block_format.
    int format;
    /// Whether numbers are rounded to bfloat16, as they must be where `a` is of that type.
    int is_rounded;
    /// What each number is multiplied by.
    float scale;
    /// Bytes from one line to the next.
    ptrdiff_t line_size;
    /// Where in its lines the matrix begins, in numbers.
    ptrdiff_t first;
} gemm_block_matrix;

/// One term: `a` is m x k, `b` k x n. Only `b` may be of type `gemm_blocks`.
typedef struct {
    ptrdiff_t k;
    gemm_matrix a, b;
} gemm_term;

/// A sum of at least one term; `c` is m x n, row-major.
typedef struct {
    ptrdiff_t m, n;
    const gemm_term *terms;
    ptrdiff_t term_count;
    /// float32 or bfloat16.
    void *c;
    int c_type;
    ptrdiff_t c_row;
    /// m x n values of any type, row-major, or none when `data` is null; may be `c` itself.
    gemm_matrix addend;
    /// n values added to each row, or null.
    const float *bias;
    float alpha;
    /// Applied to each sum before it is written, or null; `y` may be `x`.
    void (*activate)(const float *x, float *y, ptrdiff_t count);
    /// Where the sums before the activation go, laid out like `c`, or null.
    void *inactive;
} gemm_product;

/// Whether this processor, and the system for AMX, runs the level.
int gemm_supports(int level);

/// The most that a processor core can do at a level: runs the register tile `repetitions` times on operands that stay in
/// its first-level cache, bfloat16 when `pairs`, and returns the number of floating-point operations.
double gemm_probe(int level, int pairs, ptrdiff_t repetitions);

/// How a product is best shared: `row_block` rows of `a` are packed at a time into `packed_size` bytes (aligned to 64),
/// none when 0; within a block, parts begin at multiples of `row_step` rows and of `column_step` columns.
typedef struct {
    ptrdiff_t row_block, row_step, column_step;
    size_t packed_size;
} gemm_plan;

/// The plan for a product.
gemm_plan gemm_plan_for(int level, const gemm_product *product);

/// Packs rows `from..<to` of the block of rows that begins at `block`; different rows may be packed at once.
void gemm_pack_rows(
    int level, const gemm_product *product, ptrdiff_t block, ptrdiff_t from, ptrdiff_t to, void *packed);

/// Computes rows `from..<to` (all packed) and columns `left..<right` of `c`.
void gemm_compute(
    int level, const gemm_product *product, ptrdiff_t block, const void *packed, ptrdiff_t from, ptrdiff_t to,
    ptrdiff_t left, ptrdiff_t right);

/// A buffer of this thread's, aligned to 64 bytes, kept until the thread ends; its contents last until the next call.
void *gemm_thread_buffer(size_t size);
