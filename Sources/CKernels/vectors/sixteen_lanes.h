// Vectors of sixteen lanes on every instruction set: the compiler cuts them into what the processor has, and results
// that depend on the number of lanes (sums) do not depend on the processor.
#pragma once
#include <stddef.h>
#include <stdint.h>

// Vectors wider than a register may only be passed between functions that are inlined, which all of ours are.
#pragma clang diagnostic ignored "-Wpsabi"

#define INLINE static inline __attribute__((always_inline))

typedef float vfloat __attribute__((ext_vector_type(16)));
typedef double vdouble __attribute__((ext_vector_type(16)));
typedef double vdouble8 __attribute__((ext_vector_type(8)));
typedef double vdouble4 __attribute__((ext_vector_type(4)));
typedef int32_t vint __attribute__((ext_vector_type(16)));
typedef uint32_t vuint __attribute__((ext_vector_type(16)));
typedef int64_t vlong __attribute__((ext_vector_type(16)));
typedef uint16_t vushort __attribute__((ext_vector_type(16)));
typedef _Float16 vhalf __attribute__((ext_vector_type(16)));

enum { LANES = 16 };

/// Runs the given statements over `count` elements, sixteen at a time: `i` is the first, `rest` how many are left, a
/// constant sixteen in all rounds but the last.
#define EACH(i, rest, count, ...)                                     \
    do {                                                              \
        ptrdiff_t i = 0;                                              \
        for (; i + LANES <= (count); i += LANES) {                    \
            const ptrdiff_t rest = LANES;                             \
            __VA_ARGS__;                                              \
        }                                                             \
        if (i < (count)) {                                            \
            const ptrdiff_t rest = (count) - i;                       \
            __VA_ARGS__;                                              \
        }                                                             \
    } while (0)
