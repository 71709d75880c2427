// Every kernel's public name: a call goes to the instruction set in force.
#include "instruction_set.h"
#include "kernel_table.h"

static const struct diptych_kernels *kernels(void) {
#if defined(__x86_64__)
    switch (diptych_current_instruction_set()) {
    case DIPTYCH_AVX512: return &diptych_kernels_avx512;
    case DIPTYCH_AVX2: return &diptych_kernels_avx2;
    case DIPTYCH_SCALAR: break;
    }
#endif
    return &diptych_kernels_scalar;
}

#define FORWARD(result, name, parameters, arguments) \
    result diptych_##name parameters { return kernels()->name arguments; }
DIPTYCH_EACH_KERNEL(FORWARD)
