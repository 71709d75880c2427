// Intel AMX in AVX-512; see matrix_unit_emulation.h.
#if defined(__x86_64__)
#include "matrix_unit_emulation.h"
#include <immintrin.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"))), apply_to = function)

enum { tiles = 8, most_rows = 16, most_bytes = 64 };

/// A tile, zeros behind its rows and bytes.
typedef struct {
    uint32_t units[most_rows][most_bytes / 4] __attribute__((aligned(64)));
    int rows, bytes;
} tile_state;

static _Thread_local struct {
    tile_state tile[tiles];
    int is_configured;
} unit;

static _Noreturn void refuse(const char *operation, int tile, const char *reason) {
    fprintf(stderr, "emulated matrix unit: %s of tile %d: %s\n", operation, tile, reason);
    abort();
}

/// A tile that an operation may name.
static tile_state *named(const char *operation, int tile) {
    if (!unit.is_configured) refuse(operation, tile, "no tiles are configured");
    if (tile < 0 || tile >= tiles) refuse(operation, tile, "there are 8 tiles");
    if (unit.tile[tile].rows == 0) refuse(operation, tile, "it is not configured");
    return &unit.tile[tile];
}

void diptych_tile_configure(const diptych_tile_configuration *layout) {
    if (layout->palette != 1 || layout->start_row != 0) refuse("configuration", 0, "expected palette 1, first row 0");
    for (int i = 0; i < 14; i++)
        if (layout->reserved[i] != 0) refuse("configuration", 0, "reserved bytes are not zero");
    for (int i = 0; i < 16; i++) {
        const int rows = layout->rows[i], bytes = layout->row_bytes[i];
        if (i >= tiles && (rows != 0 || bytes != 0)) refuse("configuration", i, "there are 8 tiles");
        if (rows > most_rows || bytes > most_bytes) refuse("configuration", i, "more than 16 rows or 64 bytes");
        if ((rows == 0) != (bytes == 0)) refuse("configuration", i, "rows without bytes, or bytes without rows");
    }
    memset(&unit, 0, sizeof unit);
    unit.is_configured = 1;
    for (int i = 0; i < tiles; i++) {
        unit.tile[i].rows = layout->rows[i];
        unit.tile[i].bytes = layout->row_bytes[i];
    }
}

void diptych_tile_release(void) { memset(&unit, 0, sizeof unit); }

void diptych_tile_zero(int tile) {
    tile_state *t = named("zeroing", tile);
    memset(t->units, 0, sizeof t->units);
}

void diptych_tile_load(int tile, const void *from, ptrdiff_t step) {
    tile_state *t = named("loading", tile);
    memset(t->units, 0, sizeof t->units);
    for (int r = 0; r < t->rows; r++) memcpy(t->units[r], (const char *)from + r * step, (size_t)t->bytes);
}

void diptych_tile_store(int tile, void *to, ptrdiff_t step) {
    const tile_state *t = named("storing", tile);
    for (int r = 0; r < t->rows; r++) memcpy((char *)to + r * step, t->units[r], (size_t)t->bytes);
}

/// The arithmetic of rows of equal length, subnormal numbers being zeros on the way in and out.
static __attribute__((noinline)) void multiply(tile_state *sum, const tile_state *left, const tile_state *right) {
    const int pairs = left->bytes / 4;
    const __mmask16 columns = (__mmask16)((1u << sum->bytes / 4) - 1);
    const __m512i upper = _mm512_set1_epi32((int)0xffff0000);
    for (int m = 0; m < sum->rows; m++) {
        // The first and second numbers of pairs are summed apart, and meet at the end.
        __m512 first = _mm512_setzero_ps(), second = _mm512_setzero_ps();
        for (int k = 0; k < pairs; k++) {
            const __m512i a = _mm512_set1_epi32((int)left->units[m][k]), b = _mm512_load_si512(right->units[k]);
            first = _mm512_fmadd_ps(
                _mm512_castsi512_ps(_mm512_slli_epi32(a, 16)), _mm512_castsi512_ps(_mm512_slli_epi32(b, 16)), first);
            second = _mm512_fmadd_ps(
                _mm512_castsi512_ps(_mm512_and_si512(a, upper)), _mm512_castsi512_ps(_mm512_and_si512(b, upper)),
                second);
        }
        float *row = (float *)sum->units[m];
        _mm512_store_ps(
            row, _mm512_maskz_add_ps(columns, _mm512_load_ps(row), _mm512_add_ps(first, second)));
    }
}

void diptych_tile_multiply(int sum, int left, int right) {
    tile_state *c = named("multiplication", sum);
    const tile_state *a = named("multiplication", left), *b = named("multiplication", right);
    if (c == a || c == b || a == b) refuse("multiplication", sum, "one tile is named twice");
    if (a->bytes % 4 != 0 || b->bytes % 4 != 0 || c->bytes % 4 != 0)
        refuse("multiplication", sum, "rows are not whole pairs");
    if (c->rows != a->rows || c->bytes != b->bytes || a->bytes / 4 != b->rows)
        refuse("multiplication", sum, "shapes do not fit");
    // Subnormal numbers are zeros, nothing traps, sums round to nearest, whatever the thread has chosen for itself. The
    // compiler must not move arithmetic across.
    unsigned chosen, own = 0x9fc0;
    __asm__ volatile("stmxcsr %0\n\tldmxcsr %1" : "=m"(chosen) : "m"(own), "r"(c) : "memory");
    multiply(c, a, b);
    __asm__ volatile("ldmxcsr %0" : : "m"(chosen), "r"(c) : "memory");
}
#pragma clang attribute pop
#endif
