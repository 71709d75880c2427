// The kernels of attention of the level in vectors/level_portable.inc.
#include "vectors/level_portable.inc"
#define NAME diptych_attention_kernels_portable
#include "kernels.inc"
