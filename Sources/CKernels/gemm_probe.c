// The rate of the register tile alone, to compare products with.
#include "gemm_internal.h"

double gemm_probe(int level, int pairs, ptrdiff_t repetitions) {
    enum { units = 128 };
    static _Thread_local gemm_unit a[32 * units] __attribute__((aligned(64)));
    static _Thread_local gemm_unit b[32 * units] __attribute__((aligned(64)));
    float c[32 * 32] __attribute__((aligned(64)));
    const gemm_kernels *kernels = gemm_kernels_of(level, pairs);
    for (ptrdiff_t i = 0; i < repetitions; i++)
        kernels->tiles(
            kernels->rows, 2, units, a, units * (ptrdiff_t)sizeof(gemm_unit), b, c, 2 * kernels->lanes, 1, NULL, 0, NULL);
    if (kernels->end) kernels->end();
    return 2.0 * kernels->rows * 2 * kernels->lanes * units * kernels->pair * (double)repetitions;
}
