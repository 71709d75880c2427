// Vectors of four floats: SSE2, NEON, whatever the compiler has.
#define LANES 4
#if defined(__x86_64__)
#define TILE_ROWS 6
#else
#define TILE_ROWS 8
#endif
#define NAME gemm_kernels_portable
#include "gemm_template.h"
