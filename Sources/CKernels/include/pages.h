// Pages of memory that change their place.
#pragma once
#include <stddef.h>

/// Moves `size` bytes of private memory, whole pages, from `from` to `to`, where memory of the same kind must lie, piece by
/// piece: each piece must be of one mapping, as the system counts them. Gives the bytes moved, a whole number of pieces: all,
/// or fewer where the system has no more mappings to give. Nothing lies where they were.
///
/// Moving a page costs a small part of what a fresh one does, which is cleared. (C, since `mremap` takes a variable
/// number of arguments.)
size_t diptych_move_pages(void *from, void *to, size_t size, size_t piece);
