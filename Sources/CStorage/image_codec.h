// What the codecs of images share: faults and the jump out of a library's callback, encoded bytes that grow, and rounding.
#pragma once
#include "CImages.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

/// Fills a fault in; returns 1, which is what a failed function of CImages.h returns.
static inline int set_fault(CImageFault *fault, const char *expected, const char *found) {
    snprintf(fault->expected, sizeof fault->expected, "%s", expected);
    snprintf(fault->found, sizeof fault->found, "%s", found);
    return 1;
}

/// Where a fault inside a library's callback goes. It stands in memory from the heap, so that what a callback has changed
/// is well defined after the jump.
typedef struct {
    jmp_buf escape;
    CImageFault *fault;
} CodecFault;

/// Fills the fault in and jumps to where `escape` was set.
static inline _Noreturn void codec_fail(CodecFault *codec, const char *expected, const char *found) {
    set_fault(codec->fault, expected, found);
    longjmp(codec->escape, 1);
}

/// Jumps unless the image has the size that its caller made room for.
static inline void codec_check_size(
    CodecFault *codec, uint32_t width, uint32_t height, uint32_t expected_width, uint32_t expected_height) {
    if (width != expected_width || height != expected_height)
        codec_fail(codec, "the size of the header", "another");
}

/// Encoded bytes: `length` of `capacity`.
typedef struct {
    uint8_t *bytes;
    size_t length, capacity;
} CodecOutput;

/// Makes room for `more` bytes behind those there are; jumps where there is no memory, and `what` says for what.
static inline void codec_reserve(CodecOutput *output, size_t more, CodecFault *codec, const char *what) {
    if (more <= output->capacity - output->length) return;
    const size_t capacity = (output->capacity + more) * 2;
    uint8_t *grown = realloc(output->bytes, capacity);
    if (!grown) codec_fail(codec, what, "none");
    output->bytes = grown;
    output->capacity = capacity;
}

/// x / 255 rounded to the nearest, exact for products of two bytes: the form that Pillow uses.
static inline uint8_t divided_by_255(int x) {
    x += 128;
    return (uint8_t)((x + (x >> 8)) >> 8);
}
