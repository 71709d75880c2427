// The kernels of attention of the level in vectors/level_amx_emulated.inc.
#if defined(__x86_64__)
#include "vectors/level_amx_emulated.inc"
#define NAME diptych_attention_kernels_amx_emulated
#include "kernels.inc"
#pragma clang attribute pop
#endif
