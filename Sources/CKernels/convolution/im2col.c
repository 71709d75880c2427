// Packing of the im2col matrix, the right operand of a convolution.
#include "layout.h"
#include <string.h>

#define INLINE static inline __attribute__((always_inline))

/// Packs the columns of the result that begin at `first`, `width` of them, into panels of `panel` columns: line i of the
/// columns is the staged floats from `lines[i]` on.
INLINE void pack_patches_of(
    const int panel, const uint32_t *stage, const ptrdiff_t *lines, ptrdiff_t count, ptrdiff_t units, ptrdiff_t first,
    ptrdiff_t width, diptych_unit *packed) {
    for (ptrdiff_t u = 0; u < units; u++) {
        diptych_unit *to = packed + u * panel;
        const uint32_t *line = stage + (u < count ? lines[u] + first : 0);
        for (ptrdiff_t column = 0; column < width; column += panel, to += units * panel) {
            const ptrdiff_t left = width - column;
            if (u >= count)
                memset(to, 0, (size_t)panel * sizeof(diptych_unit));
            else if (left < panel)
                for (ptrdiff_t i = 0; i < panel; i++) to[i] = i < left ? line[column + i] : 0;
            else
                memcpy(to, line + column, (size_t)panel * sizeof(diptych_unit));
        }
    }
}

static void pack_patches_8(
    const uint32_t *stage, const ptrdiff_t *lines, ptrdiff_t count, ptrdiff_t units, ptrdiff_t first, ptrdiff_t width,
    diptych_unit *packed) {
    pack_patches_of(8, stage, lines, count, units, first, width, packed);
}

WIDE static void pack_patches_16(
    const uint32_t *stage, const ptrdiff_t *lines, ptrdiff_t count, ptrdiff_t units, ptrdiff_t first, ptrdiff_t width,
    diptych_unit *packed) {
    pack_patches_of(16, stage, lines, count, units, first, width, packed);
}

WIDE static void pack_patches_32(
    const uint32_t *stage, const ptrdiff_t *lines, ptrdiff_t count, ptrdiff_t units, ptrdiff_t first, ptrdiff_t width,
    diptych_unit *packed) {
    pack_patches_of(32, stage, lines, count, units, first, width, packed);
}

#if defined(__x86_64__)
typedef uint16_t staged_row __attribute__((vector_size(64), aligned(2)));

/// The same for pairs of lines of bfloat16, on the levels that multiply such pairs.
__attribute__((target("avx512f,avx512bw"))) static void pack_pairs_32(
    const uint16_t *stage, const ptrdiff_t *lines, ptrdiff_t count, ptrdiff_t units, ptrdiff_t first, ptrdiff_t width,
    diptych_unit *packed) {
    uint16_t spare[2][32] = {{0}};
    for (ptrdiff_t u = 0; u < units; u++) {
        diptych_unit *to = packed + u * 32;
        const uint16_t *low = stage + (2 * u < count ? lines[2 * u] + first : 0);
        const uint16_t *high = stage + (2 * u + 1 < count ? lines[2 * u + 1] + first : 0);
        for (ptrdiff_t column = 0; column < width; column += 32, to += units * 32) {
            const ptrdiff_t left = width - column;
            if (left < 32) {
                memcpy(spare[0], low + column, (size_t)left * sizeof(uint16_t));
                memcpy(spare[1], high + column, (size_t)left * sizeof(uint16_t));
            }
            // Behind the last line there are zeros.
            staged_row a = {0}, b = {0};
            if (2 * u < count) a = *(const staged_row *)(left < 32 ? spare[0] : low + column);
            if (2 * u + 1 < count) b = *(const staged_row *)(left < 32 ? spare[1] : high + column);
            *(staged_row *)to = __builtin_shufflevector(
                a, b, 0, 32, 1, 33, 2, 34, 3, 35, 4, 36, 5, 37, 6, 38, 7, 39, 8, 40, 9, 41, 10, 42, 11, 43, 12, 44, 13,
                45, 14, 46, 15, 47);
            *(staged_row *)(to + 16) = __builtin_shufflevector(
                a, b, 16, 48, 17, 49, 18, 50, 19, 51, 20, 52, 21, 53, 22, 54, 23, 55, 24, 56, 25, 57, 26, 58, 27, 59,
                28, 60, 29, 61, 30, 62, 31, 63);
        }
    }
}
#endif

void diptych_convolution_pack_columns(
    const diptych_convolution_layout *l, const void *stage, const ptrdiff_t *lines, ptrdiff_t count, ptrdiff_t units,
    ptrdiff_t first, ptrdiff_t width, diptych_unit *packed) {
#if defined(__x86_64__)
    if (l->is_bfloat16) return pack_pairs_32(stage, lines, count, units, first, width, packed);
#endif
    switch (2 * l->kernels->lanes) {
    case 8: return pack_patches_8(stage, lines, count, units, first, width, packed);
    case 16: return pack_patches_16(stage, lines, count, units, first, width, packed);
    default: return pack_patches_32(stage, lines, count, units, first, width, packed);
    }
}
