#pragma once
#if defined(__x86_64__)
#include <stddef.h>
#include <stdint.h>

/// What tiles are configured as, the way the processor reads it: palette 1 has eight tiles of at most 16 rows of 64 bytes.
typedef struct {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} diptych_tile_configuration;
_Static_assert(sizeof(diptych_tile_configuration) == 64, "as the processor reads it");

/// The matrix unit of Intel AMX in AVX-512, so that kernels for it can be tested on processors without it. Each thread has
/// tiles of its own, as on the processor; what that refuses (no configuration, shapes that do not fit) aborts with a line on
/// standard error. For the operations see Intel's Software Developer's Manual, volume 2: LDTILECFG, TILERELEASE, TILEZERO,
/// TILELOADD, TILESTORED and TDPBF16PS.
void diptych_tile_configure(const diptych_tile_configuration *layout);
void diptych_tile_release(void);
void diptych_tile_zero(int tile);
/// `step` counts bytes from one row to the next.
void diptych_tile_load(int tile, const void *from, ptrdiff_t step);
void diptych_tile_store(int tile, void *to, ptrdiff_t step);
/// Adds the products of pairs of bfloat16: `sum[m][n] += left[m][2k] right[k][2n] + left[m][2k + 1] right[k][2n + 1]`.
void diptych_tile_multiply(int sum, int left, int right);
#endif
