// Vectors of four floats: SSE2, NEON, whatever the compiler has.
#define LANES 4
#if defined(__x86_64__)
#include <immintrin.h>
#define TILE_ROWS 6
#define HARDWARE_MAXIMUM(a, b) (floats)_mm_max_ps((__m128)(a), (__m128)(b))
#else
#define TILE_ROWS 8
#endif
#define NAME attention_kernels_portable
#include "attention_template.h"
