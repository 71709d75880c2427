// Growing buffers for each thread.
#pragma once
#include <stddef.h>

/// What a thread's buffers are for.
enum diptych_buffer_use {
    DIPTYCH_BUFFER_PACKED_ROWS,
    DIPTYCH_BUFFER_WORK,
    DIPTYCH_BUFFER_DEQUANTIZED,
    DIPTYCH_BUFFER_COUNT,
};

/// A buffer of this thread's, aligned to 64 bytes, kept until the thread ends; its contents last until the next call for
/// the same use.
void *diptych_thread_buffer(enum diptych_buffer_use use, size_t size);
