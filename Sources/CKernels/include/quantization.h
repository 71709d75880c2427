#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// Formats in which numbers are stored in blocks that share scales (those of GGUF), or in eight bits each.
enum diptych_block_format {
    /// d q: 32 numbers of four bits.
    DIPTYCH_Q4_0,
    /// d q + m.
    DIPTYCH_Q4_1,
    /// d q: 32 numbers of five bits.
    DIPTYCH_Q5_0,
    /// d q + m.
    DIPTYCH_Q5_1,
    /// d q: 32 numbers of eight bits.
    DIPTYCH_Q8_0,
    /// d table[q]: 32 numbers of four bits on an uneven grid.
    DIPTYCH_IQ4_NL,
    /// 256 numbers in sub-blocks of 16, whose scales and minima are quantised themselves.
    DIPTYCH_Q2_K,
    /// 256 numbers in sub-blocks of 16, whose scales are quantised themselves.
    DIPTYCH_Q3_K,
    /// 256 numbers in sub-blocks of 32, whose scales and minima are quantised themselves.
    DIPTYCH_Q4_K,
    /// Like Q4_K with one bit more.
    DIPTYCH_Q5_K,
    /// 256 numbers in sub-blocks of 16, whose scales are quantised themselves.
    DIPTYCH_Q6_K,
    /// One number: sign, four bits of exponent, three of fraction; no infinities.
    DIPTYCH_F8_E4M3,
    /// One number: sign, five bits of exponent, two of fraction.
    DIPTYCH_F8_E5M2,
};

/// How many numbers a block holds.
ptrdiff_t diptych_block_elements(enum diptych_block_format format);

/// How many bytes a block takes.
ptrdiff_t diptych_block_bytes(enum diptych_block_format format);

/// The numbers of `count` consecutive blocks, bit for bit the same on every instruction set. A block's result does not
/// depend on its index in the run.
void diptych_dequantize(enum diptych_block_format format, const void *blocks, float *y, ptrdiff_t count);

/// Whether diptych_quantize writes the format: Q8_0, Q4_0, Q4_K, Q5_K, Q6_K.
bool diptych_can_quantize(enum diptych_block_format format);

/// Packs `count` blocks of finite numbers, the same on every instruction set. Q8_0 and Q4_0 take the plain scale of
/// their largest number, as GGUF's other writers do; the K formats search for the scales of the least squared error.
void diptych_quantize(enum diptych_block_format format, const float *x, void *blocks, ptrdiff_t count);
