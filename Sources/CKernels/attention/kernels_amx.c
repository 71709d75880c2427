// The kernels of attention of the level in vectors/level_amx.inc.
#if defined(__x86_64__)
#include "vectors/level_amx.inc"
#define NAME diptych_attention_kernels_amx
#include "kernels.inc"
#pragma clang attribute pop
#endif
