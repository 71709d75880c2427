/// Products and convolutions by oneDNN, of either of its interfaces: 2.x (Debian 12, Ubuntu 22.04) or 3.x.
///
/// A call computes on the thread that makes it and no other, so that the pool of ours shares the work; oneDNN's own OpenMP
/// threads never wake. A library that was compiled for another runtime of threads is not used.
#pragma once
#include <stddef.h>

/// The types of elements.
typedef enum { onednn_float32, onednn_bfloat16 } onednn_type;

/// Instruction sets.
typedef enum { onednn_sse41, onednn_avx2, onednn_avx512, onednn_avx512_bf16 } onednn_instructions;

/// What follows a sum.
typedef enum { onednn_nothing, onednn_gelu, onednn_gelu_tanh } onednn_activation;

/// `c = f(a b + bias + addend)`: `m` x `k` by `k` x `n`, of one type. One of the two distances of each operand is 1; rows of
/// `c` and of the addend are `c_row` apart.
typedef struct {
    ptrdiff_t m, n, k;
    onednn_type type, result_type;
    ptrdiff_t a_row, a_column, b_row, b_column, c_row;
    /// float32, a value a column.
    int has_bias;
    /// Of the result's type.
    int has_addend;
    onednn_activation activation;
    /// Whether `b` is given as `onednn_pack` lays it out.
    int is_packed;
} onednn_product;

/// An image `[height][width][channels]` by packed weights of `[outputs][channels][kernel_height][kernel_width]`, no
/// margins: `[rows][columns][outputs]`, float32.
typedef struct {
    ptrdiff_t channels, height, width, outputs, kernel_height, kernel_width, stride;
    onednn_type type;
} onednn_convolution;

/// Something that oneDNN can compute; may run on several threads at once.
typedef struct onednn_primitive onednn_primitive;

/// The operands of a run; those that the primitive has not are ignored.
typedef struct {
    const void *a, *b;
    const float *bias;
    const void *addend;
    void *c;
    /// As many bytes as the primitive asks for, aligned to 64.
    void *space;
} onednn_operands;

/// Whether the library's runtime is one that computes on the thread that calls.
int onednn_is_usable(void);

/// Makes the library use no more than such instructions, before it has made a primitive. Gives 0 where it cannot.
int onednn_limit(onednn_instructions most);

/// `major * 10000 + minor * 100 + patch` of the library in use.
int onednn_version(void);

/// Null where the library has no such primitive. `onednn_release` ends it.
onednn_primitive *onednn_make_product(const onednn_product *product);
onednn_primitive *onednn_make_convolution(const onednn_convolution *convolution);
void onednn_release(onednn_primitive *primitive);

/// Bytes of the packed `b`, and of the space of a run.
size_t onednn_packed_size(const onednn_primitive *primitive);
size_t onednn_space_size(const onednn_primitive *primitive);

/// The library's own name of what it chose, such as `brgconv:avx512_core_bf16`.
const char *onednn_name(const onednn_primitive *primitive);

/// Lays out `b` as the primitive reads it: a product's from `k` x `n` with the distances given, a convolution's from
/// contiguous weights. Gives 0 on failure.
int onednn_pack(const onednn_primitive *primitive, const void *b, void *packed);

/// Whether both read the same layout of `b`.
int onednn_packs_alike(const onednn_primitive *x, const onednn_primitive *y);

/// Computes. Gives 0 on failure.
int onednn_run(const onednn_primitive *primitive, const onednn_operands *operands);
