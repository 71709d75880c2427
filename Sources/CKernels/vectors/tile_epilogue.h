// The operands of a register tile, and what becomes of its sums: the interface of every micro-kernel.
#pragma once
#include "vectors/numbers.h"

/// The operands of register tiles side by side: `rows` rows of `units` units, `a_step` bytes apart, and as many rows of
/// units of the right operand, `b_step` units apart.
typedef struct {
    int rows;
    ptrdiff_t units;
    const void *a;
    ptrdiff_t a_step;
    const diptych_unit *b;
    ptrdiff_t b_step;
} diptych_tile_operands;

/// `c = alpha a b + addend + bias`. Addend and bias may be null; the addend may be `c`. Rows of `c` and of the addend are
/// `c_row` and `addend_row` elements apart.
typedef struct {
    void *c;
    ptrdiff_t c_row;
    float alpha;
    const float *addend;
    ptrdiff_t addend_row;
    const float *bias;
} diptych_tile_epilogue;
