// The rate of the register tile alone, to compare products with.
#include "kernels.h"

double diptych_gemm_probe(enum diptych_kernel_level level, bool pairs, ptrdiff_t repetitions) {
    enum { units = 128 };
    static _Thread_local diptych_unit a[32 * units] __attribute__((aligned(64)));
    static _Thread_local diptych_unit b[32 * units] __attribute__((aligned(64)));
    float c[32 * 32] __attribute__((aligned(64)));
    const diptych_gemm_kernels *kernels = diptych_gemm_kernels_of(level, pairs);
    const diptych_tile_operands operands = {
        .rows = kernels->rows, .units = units, .a = a, .a_step = units * (ptrdiff_t)sizeof(diptych_unit), .b = b,
        .b_step = 2 * kernels->lanes};
    const diptych_tile_epilogue epilogue = {.c = c, .c_row = 2 * kernels->lanes, .alpha = 1};
    for (ptrdiff_t i = 0; i < repetitions; i++)
        kernels->tiles(&operands, 2, &epilogue);
    if (kernels->end) kernels->end();
    return 2.0 * kernels->rows * 2 * kernels->lanes * units * kernels->pair * (double)repetitions;
}
