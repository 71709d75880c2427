// The kernels for what every processor of the architecture has.
#include "kernel_table.h"
#include "vectors/sixteen_lanes.h"

#define KERNEL(name) name##_scalar
#define TABLE diptych_kernels_scalar
#if defined(__aarch64__)
#define FUSED 1
#define HALVES 1
#else
#define FUSED 0
#define HALVES 0
#endif

#include "kernels.inc"
