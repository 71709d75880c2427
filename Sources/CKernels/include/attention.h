/// Fused attention `softmax(scale q k^T + bias) v` and its gradient, head by head, in tiles: the matrix of scores is never
/// stored as a whole. Tokens may come in several streams, concatenated to the joint sequence; RMS norm and rotary embedding
/// are applied to queries and keys as they are read.
///
/// The algorithm is Dao, "FlashAttention-2" (2023): an online softmax over blocks of keys (Milakov and Gimelshein 2018); the
/// gradient computes the weights again from the rows' log-sum-exp. The caller splits the work by heads, rows and blocks;
/// results do not depend on how.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "element_type.h"
#include "instruction_set.h"

/// Tokens per head: element i of (batch, token, head) is `data[batch * b + token * t + head * h + i]`.
typedef struct {
    const void *data;
    ptrdiff_t batch, token, head;
} diptych_attention_tokens;

/// One stream of tokens.
typedef struct {
    ptrdiff_t queries, keys;
    diptych_attention_tokens q, k, v;
    /// Weights of the RMS norms, `depth` each, or null: no norm.
    const float *q_norm, *k_norm;
    /// `[batches, queries, heads, depth]`, in the problem's type.
    void *output;
    /// The gradient of the output; its `data` may be null: zeros. For the gradient alone, as are all that follow.
    diptych_attention_tokens gradient;
    /// `[batches, queries or keys, heads, depth]`, in the problem's type; `dq` or both of the others may be null.
    void *dq, *dk, *dv;
    /// `[batches * heads][blocks of queries or keys][depth]`, to be summed over the first two; null where not wanted.
    float *dq_norm, *dk_norm;
} diptych_attention_stream;

/// The operands of one attention.
typedef struct {
    /// Of all tokens: DIPTYCH_FLOAT32 or DIPTYCH_BFLOAT16.
    enum diptych_type type;
    ptrdiff_t batches, heads, depth;
    /// Over all streams.
    ptrdiff_t queries, keys;
    const diptych_attention_stream *streams;
    ptrdiff_t stream_count;
    /// Rotary angles of the joint sequence, `[keys][depth / 2]` each, or null: no rotation. Queries are its last tokens.
    const float *cosine, *sine;
    /// Added to the mean squares of the norms.
    float epsilon;
    float scale;
    /// Whether a query attends only to keys up to its own position.
    bool causal;
    /// Added to the scaled products, or null; its distances may be 0.
    const float *bias;
    ptrdiff_t bias_batch, bias_head, bias_row, bias_column;
    /// `[batches, heads, queries]`: written forwards, read by the gradient.
    float *log_sum_exp;
} diptych_attention_problem;

/// A part of the work: rows of queries forwards; blocks of queries and of keys in the gradient.
typedef struct {
    ptrdiff_t batch, head;
    ptrdiff_t first_row, last_row;
    ptrdiff_t first_key_block, last_key_block;
} diptych_attention_part;

/// The blocks that the gradient counts rows of queries, and keys, in.
ptrdiff_t diptych_attention_query_blocks(ptrdiff_t queries);
ptrdiff_t diptych_attention_key_blocks(ptrdiff_t keys);

/// Bytes of working memory, to be aligned to 64, that a part of `rows` rows needs.
size_t diptych_attention_forward_memory(
    enum diptych_kernel_level level, const diptych_attention_problem *problem, ptrdiff_t rows);
/// The same for a part of `blocks` blocks of queries.
size_t diptych_attention_backward_memory(
    enum diptych_kernel_level level, const diptych_attention_problem *problem, ptrdiff_t blocks);

/// Computes the output and log-sum-exp of rows `first_row..<last_row` of a head. Rows without a key give zeros and minus
/// infinity.
void diptych_attention_forward(
    enum diptych_kernel_level level, const diptych_attention_problem *problem, const diptych_attention_part *part,
    void *memory);

/// Computes gradients of a head. `first_row` and `last_row` count blocks here. The gradients of queries come out whole
/// where `wants_queries` and the part has all blocks of keys; those of keys and values where `wants_keys` and it has
/// all blocks of queries.
void diptych_attention_backward(
    enum diptych_kernel_level level, const diptych_attention_problem *problem, const diptych_attention_part *part,
    bool wants_queries, bool wants_keys, void *memory);
