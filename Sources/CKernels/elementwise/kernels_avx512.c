// The kernels for AVX-512 F, BW, DQ and VL.
#if defined(__x86_64__)
#include "kernel_table.h"
#include "vectors/sixteen_lanes.h"

#define KERNEL(name) name##_avx512
#define TABLE diptych_kernels_avx512
#define FUSED 1
#define HALVES 1

#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c"))), apply_to = function)
#include "kernels.inc"
#pragma clang attribute pop
#endif
