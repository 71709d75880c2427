// Which kernels compute an attention.
#include "kernels.h"

ptrdiff_t diptych_attention_query_blocks(ptrdiff_t queries) { return quotient(queries, QUERY_BLOCK); }
ptrdiff_t diptych_attention_key_blocks(ptrdiff_t keys) { return quotient(keys, KEY_BLOCK); }

static const diptych_attention_kernels *kernels_of(
    enum diptych_kernel_level level, const diptych_attention_problem *p) {
#if defined(__x86_64__)
    const bool pairs = p->type == DIPTYCH_BFLOAT16;
    switch (level) {
    case DIPTYCH_LEVEL_AMX_EMULATED:
        return pairs ? &diptych_attention_kernels_amx_emulated : &diptych_attention_kernels_avx512;
    case DIPTYCH_LEVEL_AMX: return pairs ? &diptych_attention_kernels_amx : &diptych_attention_kernels_avx512;
    case DIPTYCH_LEVEL_AVX512_BF16:
        return pairs ? &diptych_attention_kernels_avx512_bf16 : &diptych_attention_kernels_avx512;
    case DIPTYCH_LEVEL_AVX512: return &diptych_attention_kernels_avx512;
    case DIPTYCH_LEVEL_AVX2: return &diptych_attention_kernels_avx2;
    case DIPTYCH_LEVEL_PORTABLE: case DIPTYCH_LEVEL_PLAIN: break;
    }
#endif
    (void)level;
    (void)p;
    return &diptych_attention_kernels_portable;
}

size_t diptych_attention_forward_memory(
    enum diptych_kernel_level level, const diptych_attention_problem *p, ptrdiff_t rows) {
    return kernels_of(level, p)->forward_memory(p, rows);
}

size_t diptych_attention_backward_memory(
    enum diptych_kernel_level level, const diptych_attention_problem *p, ptrdiff_t blocks) {
    return kernels_of(level, p)->backward_memory(p, blocks);
}

void diptych_attention_forward(
    enum diptych_kernel_level level, const diptych_attention_problem *p, const diptych_attention_part *part,
    void *memory) {
    kernels_of(level, p)->forward(p, part, memory);
}

void diptych_attention_backward(
    enum diptych_kernel_level level, const diptych_attention_problem *p, const diptych_attention_part *part,
    bool wants_queries, bool wants_keys, void *memory) {
    kernels_of(level, p)->backward(p, part, wants_queries, wants_keys, memory);
}
