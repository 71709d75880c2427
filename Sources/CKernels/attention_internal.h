// What the files of attention share among themselves.
#pragma once
#include "attention.h"
#include "gemm_internal.h"

enum {
    /// The most keys of a tile.
    attention_keys = 192,
    /// Distance between rows of a tile of scores; not a power of two, so that rows do not share cache sets.
    attention_step = attention_keys + 16,
    /// The most rows of queries that the gradient takes at a time.
    attention_rows = 70,
};

/// One level's kernels for one kind of unit; see attention.h.
typedef struct {
    size_t (*forward_memory)(const attention_problem *p, ptrdiff_t rows);
    size_t (*backward_memory)(const attention_problem *p, ptrdiff_t blocks);
    void (*forward)(const attention_problem *p, const attention_part *part, void *memory);
    void (*backward)(
        const attention_problem *p, const attention_part *part, int wants_queries, int wants_keys, void *memory);
} attention_kernels;

extern const attention_kernels attention_kernels_portable;
#if defined(__x86_64__)
extern const attention_kernels attention_kernels_avx2, attention_kernels_avx512, attention_kernels_avx512_bf16,
    attention_kernels_amx, attention_kernels_amx_emulated;
#endif

static inline ptrdiff_t least(ptrdiff_t a, ptrdiff_t b) { return a < b ? a : b; }
static inline ptrdiff_t greatest(ptrdiff_t a, ptrdiff_t b) { return a > b ? a : b; }
static inline ptrdiff_t quotient(ptrdiff_t a, ptrdiff_t b) { return (a + b - 1) / b; }
static inline ptrdiff_t multiple(ptrdiff_t a, ptrdiff_t b) { return quotient(a, b) * b; }

/// Rows `at..<end` of the gradient's block of queries `block`: nearly equal blocks, of even numbers of rows.
static inline void query_block(ptrdiff_t queries, ptrdiff_t block, ptrdiff_t *at, ptrdiff_t *end) {
    const ptrdiff_t blocks = quotient(queries, attention_rows), pairs = quotient(queries, 2);
    *at = block * pairs / blocks * 2;
    *end = least((block + 1) * pairs / blocks * 2, queries);
}
