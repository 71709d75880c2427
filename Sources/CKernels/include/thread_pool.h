/// The one pool of threads: what a parallel loop runs on.
///
/// A loop of some tens of microseconds is common in a training step, and a sleeping thread takes about as long to wake:
/// so workers keep looking for the next loop for a short while before they sleep, and whoever asks for a loop works on
/// it too, on all of it when no worker comes.
#pragma once
#include <stdbool.h>
#include <stddef.h>

/// Calls `body(context, part)` once for every part below `parts` on the calling thread and on at most `threads - 1`
/// workers, and returns when all are done. A loop inside a part, and one asked for while another thread's loop has the
/// pool, runs on its own thread alone.
void diptych_parallel(ptrdiff_t parts, int threads, void (*body)(void *context, ptrdiff_t part), void *context);

/// Whether the calling thread runs a part of a loop.
bool diptych_is_inside_parallel(void);

/// Sets whether the calling thread counts as running a part of a loop; its loops then stay on it. Returns the value
/// before.
bool diptych_set_inside_parallel(bool value);
