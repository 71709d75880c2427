// The kernels of attention for vectors of LANES floats and register tiles of at most TILE_ROWS rows (an even number).
// Included once a level, with LANES, TILE_ROWS and NAME defined, where the processor has them HARDWARE_MAXIMUM and sums
// a b -+ c of alternating signs (ALTERNATING_SUM, minus first, and ALTERNATING_DIFFERENCE) and, where a unit is a pair of
// bfloat16, PAIRS; TILE_UNIT where the matrix unit multiplies them, in tiles of TILE_ROWS 32 and LANES 16.
#include "attention_internal.h"
#include <math.h>
#include <string.h>

#include "attention_vectors.h"

#include "attention_tiles.h"

#include "attention_rows.h"

#include "attention_forward.h"

#include "attention_backward.h"

const attention_kernels NAME = {
    .forward_memory = forward_memory,
    .backward_memory = backward_memory,
    .forward = forward,
    .backward = backward,
};
