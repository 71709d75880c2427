// Pages that move to another address.
#pragma once
#include <stddef.h>

/// Moves `size` bytes of private memory, whole pages, from `from` to `to`, where memory of the same kind must be mapped, piece by
/// piece: each piece must be of one mapping, as the system counts them. Returns the bytes moved, a whole number of pieces: all,
/// or fewer where the system has no more mappings. Nothing is mapped where they were.
///
/// Moving a page costs a small part of what a fresh one does, which is cleared. (C, since `mremap` takes a variable
/// number of arguments.)
size_t diptych_move_pages(void *from, void *to, size_t size, size_t piece);
