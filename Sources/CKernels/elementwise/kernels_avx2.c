// The kernels for AVX2, FMA and F16C.
#if defined(__x86_64__)
#include "kernel_table.h"
#include "vectors/sixteen_lanes.h"

#define KERNEL(name) name##_avx2
#define TABLE diptych_kernels_avx2
#define FUSED 1
#define HALVES 1

#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)
#include "kernels.inc"
#pragma clang attribute pop
#endif
