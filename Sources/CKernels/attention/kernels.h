// The kernels of attention, one table a level, and its block sizes.
#pragma once
#include "attention.h"
#include "vectors/numbers.h"

enum {
    /// Keys of a block.
    KEY_BLOCK = 192,
    /// Distance between rows of scores with a block of keys; not a power of two, so that rows do not share cache sets.
    SCORE_ROW = KEY_BLOCK + 16,
    /// The most queries of a block of the gradient.
    QUERY_BLOCK = 70,
};

/// The kernels of one level for one kind of unit; see attention.h.
typedef struct {
    size_t (*forward_memory)(const diptych_attention_problem *p, ptrdiff_t rows);
    size_t (*backward_memory)(const diptych_attention_problem *p, ptrdiff_t blocks);
    void (*forward)(const diptych_attention_problem *p, const diptych_attention_part *part, void *memory);
    void (*backward)(
        const diptych_attention_problem *p, const diptych_attention_part *part, bool wants_queries, bool wants_keys,
        void *memory);
} diptych_attention_kernels;

extern const diptych_attention_kernels diptych_attention_kernels_portable;
#if defined(__x86_64__)
extern const diptych_attention_kernels diptych_attention_kernels_avx2, diptych_attention_kernels_avx512,
    diptych_attention_kernels_avx512_bf16, diptych_attention_kernels_amx, diptych_attention_kernels_amx_emulated;
#endif

/// Rows `at..<end` of the gradient's block of queries `block`: nearly equal blocks, of even numbers of rows.
static inline void query_block(ptrdiff_t queries, ptrdiff_t block, ptrdiff_t *at, ptrdiff_t *end) {
    const ptrdiff_t blocks = quotient(queries, QUERY_BLOCK), pairs = quotient(queries, 2);
    *at = block * pairs / blocks * 2;
    *end = least((block + 1) * pairs / blocks * 2, queries);
}
