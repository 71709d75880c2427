// The matrix unit of recent Intel processors: four tiles of 16 x 16 sums, fed with pairs of bfloat16.
#if defined(__x86_64__)
#include <immintrin.h>
#pragma clang attribute push(__attribute__((target("amx-tile,amx-bf16,avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma"))), apply_to = function)
#include <stddef.h>
#include <stdint.h>
#define LANES 16
#define TILE_ROWS 32
#define PAIRS
#define NAME gemm_kernels_amx
#define OWN_TILE
static void configure(void);
static void leave(void);
static void tile(
    int rows, int half, ptrdiff_t count, const void *a, ptrdiff_t a_step, const uint32_t *b, float *c,
    ptrdiff_t c_row, float alpha, const float *addend, ptrdiff_t addend_row, const float *bias);
#include "gemm_template.h"

/// Eight tiles of 16 rows of 64 bytes.
static void configure(void) {
    struct {
        uint8_t palette, start_row, reserved[14];
        uint16_t columns[16];
        uint8_t rows[16];
    } __attribute__((packed, aligned(64))) layout = {.palette = 1};
    for (int i = 0; i < 8; i++) {
        layout.columns[i] = 64;
        layout.rows[i] = 16;
    }
    _tile_loadconfig(&layout);
}

/// Spares the system from saving the tiles.
static void leave(void) { _tile_release(); }

/// 32 rows x 32 columns (16 x 32 when there are no more than 16 rows, 16 columns when `half`): `a` and `b` are packed
/// with zeros up to a multiple of 16 units, and 32 packed rows exist.
static void tile(
    int rows, int half, ptrdiff_t count, const void *a, ptrdiff_t a_step, const uint32_t *b, float *c,
    ptrdiff_t c_row, float alpha, const float *addend, ptrdiff_t addend_row, const float *bias) {
    float sums[32 * 32] __attribute__((aligned(64)));
    const int low = rows > 16, wide = !half;
    const char *line = a;
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    for (ptrdiff_t u = 0; u < count; u += 16, line += 64, b += 16 * PANEL) {
        _tile_loadd(4, line, a_step);
        _tile_loadd(6, b, PANEL * 4);
        _tile_dpbf16ps(0, 4, 6);
        if (wide) {
            _tile_loadd(7, b + 16, PANEL * 4);
            _tile_dpbf16ps(1, 4, 7);
        }
        if (low) {
            _tile_loadd(5, line + 16 * a_step, a_step);
            _tile_dpbf16ps(2, 5, 6);
            if (wide) _tile_dpbf16ps(3, 5, 7);
        }
    }
    _tile_stored(0, sums, 32 * 4);
    if (wide) _tile_stored(1, sums + 16, 32 * 4);
    if (low) _tile_stored(2, sums + 16 * 32, 32 * 4);
    if (low && wide) _tile_stored(3, sums + 16 * 32 + 16, 32 * 4);
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < 1 + wide; v++) {
            floats value = *(const floats *)(sums + r * 32 + v * LANES) * alpha;
            if (bias) value += *(const loose_floats *)(bias + v * LANES);
            if (addend) value += *(const loose_floats *)(addend + r * addend_row + v * LANES);
            *(loose_floats *)(c + r * c_row + v * LANES) = value;
        }
}
#pragma clang attribute pop
#endif
