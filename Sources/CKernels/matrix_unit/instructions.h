// The instructions of the matrix unit: Intel AMX or, where MATRIX_UNIT_EMULATED is defined, the functions that stand for it.
#pragma once
#include "matrix_unit_emulation.h"

#ifdef MATRIX_UNIT_EMULATED
#define TILE_CONFIGURE(layout) diptych_tile_configure(layout)
#define TILE_RELEASE() diptych_tile_release()
#define TILE_ZERO(tile) diptych_tile_zero(tile)
#define TILE_LOAD(tile, from, step) diptych_tile_load(tile, from, step)
#define TILE_STORE(tile, to, step) diptych_tile_store(tile, to, step)
#define TILE_MULTIPLY(sum, left, right) diptych_tile_multiply(sum, left, right)
#else
#define TILE_CONFIGURE(layout) _tile_loadconfig(layout)
#define TILE_RELEASE() _tile_release()
#define TILE_ZERO(tile) _tile_zero(tile)
#define TILE_LOAD(tile, from, step) _tile_loadd(tile, from, step)
#define TILE_STORE(tile, to, step) _tile_stored(tile, to, step)
#define TILE_MULTIPLY(sum, left, right) _tile_dpbf16ps(sum, left, right)
#endif
