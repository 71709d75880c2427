// Packing of patches, the right operand of a convolution.
#include "conv_internal.h"
#include <string.h>

#define INLINE static inline __attribute__((always_inline))

/// Packs the columns of the result that begin at `first`, `width` of them, into panels of `panel` columns: line i of the
/// patches is the staged pixels from `lines[i]` on.
INLINE void pack_patches_of(
    const int panel, const void *stage, const int narrow, const ptrdiff_t *lines, ptrdiff_t count, ptrdiff_t units,
    ptrdiff_t first, ptrdiff_t width, gemm_unit *packed) {
    uint32_t spare[2][32];
    for (ptrdiff_t u = 0; u < units; u++) {
        gemm_unit *to = packed + u * panel;
        for (ptrdiff_t column = 0; column < width; column += panel, to += units * panel) {
            const ptrdiff_t left = gemm_least(panel, width - column);
            if (narrow) {
                const uint16_t *low = (const uint16_t *)stage + (2 * u < count ? lines[2 * u] : 0);
                const uint16_t *high = (const uint16_t *)stage + (2 * u + 1 < count ? lines[2 * u + 1] : 0);
                if (2 * u >= count) {
                    memset(to, 0, (size_t)panel * sizeof(gemm_unit));
                    continue;
                }
                low += first + column;
                high += first + column;
                if (left < panel) {
                    memset(spare, 0, sizeof spare);
                    memcpy(spare[0], low, (size_t)left * sizeof(uint16_t));
                    memcpy(spare[1], high, (size_t)left * sizeof(uint16_t));
                    low = (const uint16_t *)spare[0];
                    high = (const uint16_t *)spare[1];
                }
                if (2 * u + 1 < count)
#pragma clang loop vectorize(enable)
                    for (int i = 0; i < panel; i++) to[i] = low[i] | (uint32_t)high[i] << 16;
                else
                    for (int i = 0; i < panel; i++) to[i] = low[i];
            } else {
                const uint32_t *line = (const uint32_t *)stage + (u < count ? lines[u] : 0);
                if (u >= count) {
                    memset(to, 0, (size_t)panel * sizeof(gemm_unit));
                } else if (left < panel) {
                    for (ptrdiff_t i = 0; i < panel; i++) to[i] = i < left ? line[first + column + i] : 0;
                } else {
                    memcpy(to, line + first + column, (size_t)panel * sizeof(gemm_unit));
                }
            }
        }
    }
}

static void pack_patches_8(
    const void *stage, const ptrdiff_t *lines, ptrdiff_t count, ptrdiff_t units, ptrdiff_t first, ptrdiff_t width,
    gemm_unit *packed) {
    pack_patches_of(8, stage, 0, lines, count, units, first, width, packed);
}

#if defined(__x86_64__)
#define WIDE __attribute__((target("avx2")))
#else
#define WIDE
#endif

WIDE static void pack_patches_16(
    const void *stage, const ptrdiff_t *lines, ptrdiff_t count, ptrdiff_t units, ptrdiff_t first, ptrdiff_t width,
    gemm_unit *packed) {
    pack_patches_of(16, stage, 0, lines, count, units, first, width, packed);
}

WIDE static void pack_patches_32(
    const void *stage, const ptrdiff_t *lines, ptrdiff_t count, ptrdiff_t units, ptrdiff_t first, ptrdiff_t width,
    gemm_unit *packed) {
    pack_patches_of(32, stage, 0, lines, count, units, first, width, packed);
}

WIDE static void pack_pairs_32(
    const void *stage, const ptrdiff_t *lines, ptrdiff_t count, ptrdiff_t units, ptrdiff_t first, ptrdiff_t width,
    gemm_unit *packed) {
    pack_patches_of(32, stage, 1, lines, count, units, first, width, packed);
}

void conv_pack_patches(
    const conv_layout *l, const void *stage, const ptrdiff_t *lines, ptrdiff_t count, ptrdiff_t units, ptrdiff_t first,
    ptrdiff_t width, gemm_unit *packed) {
    switch (2 * l->kernels->lanes) {
    case 8: pack_patches_8(stage, lines, count, units, first, width, packed); break;
    case 16: pack_patches_16(stage, lines, count, units, first, width, packed); break;
    default:
        if (l->narrow)
            pack_pairs_32(stage, lines, count, units, first, width, packed);
        else
            pack_patches_32(stage, lines, count, units, first, width, packed);
    }
}

