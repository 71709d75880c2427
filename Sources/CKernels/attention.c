// Which kernels compute an attention.
#include "attention_internal.h"

ptrdiff_t attention_query_blocks(ptrdiff_t queries) { return quotient(queries, attention_rows); }
ptrdiff_t attention_key_blocks(ptrdiff_t keys) { return quotient(keys, attention_keys); }

static const attention_kernels *kernels_of(int level, const attention_problem *p) {
#if defined(__x86_64__)
    const int narrow = p->type == gemm_bfloat16;
    switch (level) {
    case gemm_amx_emulated: return narrow ? &attention_kernels_amx_emulated : &attention_kernels_avx512;
    case gemm_amx: return narrow ? &attention_kernels_amx : &attention_kernels_avx512;
    case gemm_avx512_bf16: return narrow ? &attention_kernels_avx512_bf16 : &attention_kernels_avx512;
    case gemm_avx512: return &attention_kernels_avx512;
    case gemm_avx2: return &attention_kernels_avx2;
    }
#endif
    (void)level;
    (void)p;
    return &attention_kernels_portable;
}

size_t attention_forward_memory(int level, const attention_problem *p, ptrdiff_t rows) {
    return kernels_of(level, p)->forward_memory(p, rows);
}

size_t attention_backward_memory(int level, const attention_problem *p, ptrdiff_t blocks) {
    return kernels_of(level, p)->backward_memory(p, blocks);
}

void attention_forward(int level, const attention_problem *p, const attention_part *part, void *memory) {
    kernels_of(level, p)->forward(p, part, memory);
}

void attention_backward(
    int level, const attention_problem *p, const attention_part *part, int wants_queries, int wants_keys,
    void *memory) {
    kernels_of(level, p)->backward(p, part, wants_queries, wants_keys, memory);
}
