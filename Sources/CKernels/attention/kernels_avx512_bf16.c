// The kernels of attention of the level in vectors/level_avx512_bf16.inc.
#if defined(__x86_64__)
#include "vectors/level_avx512_bf16.inc"
#define NAME diptych_attention_kernels_avx512_bf16
#include "kernels.inc"
#pragma clang attribute pop
#endif
