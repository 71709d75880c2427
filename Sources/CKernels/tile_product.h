// Products of at most 32 x 32 sums on the matrix unit: four tiles of sums, two of either operand. Part of templates that
// define LANES as 16.
#include "tile_unit.h"

/// For how many rows this thread's tiles are configured; 0 when they are released.
static _Thread_local int tile_rows;

/// Tiles 0 to 3 are sums, two above the other two; 4 and 5 hold 16 pairs of the rows of the left operand, 6 and 7 sixteen
/// rows of pairs of the right one. Tiles have only rows that exist: nothing behind them is read or written.
static void configure_tiles(int rows) {
    const uint8_t upper = (uint8_t)(rows < 16 ? rows : 16), lower = (uint8_t)(rows - upper);
    diptych_tile_layout layout = {.palette = 1, .rows = {upper, upper, lower, lower, upper, lower, 16, 16}};
    for (int i = 0; i < 8; i++) layout.row_bytes[i] = layout.rows[i] > 0 ? 64 : 0;
    TILE_CONFIGURE(&layout);
    tile_rows = rows;
}

/// Spares the system from saving the tiles, and the processor from keeping them powered. Tiles live from the first product
/// after this to the next call, on one thread and within one kernel's call: neither forks nor threads see them.
static void release_tiles(void) {
    TILE_RELEASE();
    tile_rows = 0;
}

/// `c = alpha a b + addend + bias` for `rows` rows and 32 columns, 16 when `half`: rows of `a` are `a_step` bytes apart,
/// rows of pairs of `b` `b_step` units; `count` is a multiple of 16. Addend and bias may be null; the addend may be `c`.
static void multiply_tiles(
    int rows, int half, ptrdiff_t count, const void *a, ptrdiff_t a_step, const gemm_unit *b, ptrdiff_t b_step,
    float *c, ptrdiff_t c_row, float alpha, const float *addend, ptrdiff_t addend_row, const float *bias) {
    if (rows != tile_rows) configure_tiles(rows);
    const int low = rows > 16, wide = !half;
    // Where sums are not scaled, they begin with what is added to them; steps of 0 repeat the bias in every row.
    const float *start = NULL;
    ptrdiff_t start_step = 0;
    if (alpha == 1 && addend) {
        start = addend;
        start_step = addend_row * (ptrdiff_t)sizeof(float);
        addend = NULL;
    } else if (alpha == 1 && bias) {
        start = bias;
        bias = NULL;
    }
    if (start) {
        const char *lower = (const char *)start + 16 * start_step;
        TILE_LOAD(0, start, start_step);
        if (wide) TILE_LOAD(1, start + 16, start_step);
        if (low) TILE_LOAD(2, lower, start_step);
        if (low && wide) TILE_LOAD(3, lower + 64, start_step);
    } else {
        TILE_ZERO(0);
        TILE_ZERO(1);
        if (low) TILE_ZERO(2);
        if (low) TILE_ZERO(3);
    }
    // A sum comes round after four multiplications of 16 cycles, later than its own is done (52). Meanwhile the four loads,
    // placed where their operands are first needed, take 32 cycles from the first-level cache, and about 64 from the second.
    const char *line = a;
    for (ptrdiff_t u = 0; u < count; u += 16, line += 64, b += 16 * b_step) {
        TILE_LOAD(4, line, a_step);
        TILE_LOAD(6, b, b_step * 4);
        TILE_MULTIPLY(0, 4, 6);
        if (wide) {
            TILE_LOAD(7, b + 16, b_step * 4);
            TILE_MULTIPLY(1, 4, 7);
        }
        if (low) {
            TILE_LOAD(5, line + 16 * a_step, a_step);
            TILE_MULTIPLY(2, 5, 6);
            if (wide) TILE_MULTIPLY(3, 5, 7);
        }
    }
    float sums[32 * 32] __attribute__((aligned(64)));
    const int is_done = alpha == 1 && !bias;
    float *to = is_done ? c : sums;
    const ptrdiff_t to_row = is_done ? c_row : 32;
    TILE_STORE(0, to, to_row * 4);
    if (wide) TILE_STORE(1, to + 16, to_row * 4);
    if (low) TILE_STORE(2, to + 16 * to_row, to_row * 4);
    if (low && wide) TILE_STORE(3, to + 16 * to_row + 16, to_row * 4);
    if (is_done) return;
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < 1 + wide; v++) {
            floats value = *(const floats *)(sums + r * 32 + v * LANES) * alpha;
            if (bias) value += *(const loose_floats *)(bias + v * LANES);
            if (addend) value += *(const loose_floats *)(addend + r * addend_row + v * LANES);
            *(loose_floats *)(c + r * c_row + v * LANES) = value;
        }
}
