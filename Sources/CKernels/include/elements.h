#pragma once
#include <stddef.h>
#include <stdint.h>

#include "element_type.h"

// Kernels on runs of contiguous elements. Each exists once for every instruction set; the call goes to the one in force.
// An element's result does not depend on its index in the run, so work may be cut anywhere. Results may overwrite
// operands of the same type that begin at the same address.
//
// Elements of 16 bits are widened to float32 in registers, and results rounded once, to nearest, ties to even.

/// Functions of one element.
enum diptych_unary_function {
    DIPTYCH_NEGATE,
    DIPTYCH_EXPONENTIAL,
    DIPTYCH_LOGARITHM,
    DIPTYCH_SQUARE_ROOT,
    DIPTYCH_RECIPROCAL,
    DIPTYCH_SIGMOID,
    DIPTYCH_TANH,
    DIPTYCH_SQUARE,
    DIPTYCH_ABSOLUTE,
    DIPTYCH_RELU,
    DIPTYCH_SILU,
    DIPTYCH_GELU,
    DIPTYCH_GELU_TANH,
    DIPTYCH_QUICK_GELU,
};

/// Functions of two elements; NaN wins maximum and minimum.
enum diptych_binary_function {
    DIPTYCH_ADD,
    DIPTYCH_SUBTRACT,
    DIPTYCH_MULTIPLY,
    DIPTYCH_DIVIDE,
    DIPTYCH_MAXIMUM,
    DIPTYCH_MINIMUM,
};

/// y[i] = f(x[i]), all of one type.
void diptych_unary_as(
    enum diptych_unary_function function, enum diptych_type type, const void *x, void *y, ptrdiff_t count);

/// dx[i] = f'(x[i]) dy[i], all of one type.
void diptych_unary_gradient(
    enum diptych_unary_function function, enum diptych_type type, const void *x, const void *dy, void *dx,
    ptrdiff_t count);

/// Rows of an operand: elements are `step` apart, rows `stride`.
struct diptych_run {
    const void *x;
    ptrdiff_t step, stride;
};

/// y[row count + i] = f(a[row stride_a + i step_a], b[row stride_b + i step_b]), all of one type.
void diptych_binary_as(
    enum diptych_binary_function function, enum diptych_type type, struct diptych_run a, struct diptych_run b, void *y,
    ptrdiff_t rows, ptrdiff_t count);

/// y[i] = x[i] scale + shift, of one type, two roundings before the last.
void diptych_affine_as(
    enum diptych_type type, const void *x, float scale, float shift, void *y, ptrdiff_t count);

/// y[i] = y[i] scale_y + x[i] scale_x, three roundings before the last; `target` is the type of y.
void diptych_accumulate(
    enum diptych_type type, const void *x, float scale_x, enum diptych_type target, void *y, float scale_y,
    ptrdiff_t count);

/// To the nearest bfloat16, ties to even; a NaN stays a quiet NaN.
void diptych_float32_to_bfloat16(const float *x, uint16_t *y, ptrdiff_t count);

/// Exactly.
void diptych_bfloat16_to_float32(const uint16_t *x, float *y, ptrdiff_t count);

/// To the nearest IEEE half-precision number, ties to even.
void diptych_float32_to_float16(const float *x, uint16_t *y, ptrdiff_t count);

/// Exactly.
void diptych_float16_to_float32(const uint16_t *x, float *y, ptrdiff_t count);

/// The scalars of an AdamW step.
struct diptych_adamw_options {
    float beta1, beta2;
    float epsilon;
    /// 1 - learning rate * weight decay.
    float decay;
    /// Learning rate / (1 - beta1^step).
    float step;
    /// sqrt(1 - beta2^step).
    float root;
};

/// m = beta1 m + (1 - beta1) g, v = beta2 v + (1 - beta2) g^2, p = p decay - step m / (sqrt(v) / root + epsilon), in
/// one pass, bit for bit the same for every instruction set.
void diptych_adamw(
    const struct diptych_adamw_options *options, float *p, const float *g, float *m, float *v, ptrdiff_t count);

/// The scalars of Prodigy's moments.
struct diptych_prodigy_options {
    float beta1, beta2, beta3;
    /// What the gradient, its square and again the gradient are multiplied by before they enter m, v and s.
    float first, second, sum;
};

/// m = beta1 m + first g, v = beta2 v + second g^2, s = beta3 s + sum g; also the sum of g (start - p), where no start is
/// a start of zeros, and the sum of |s|. One pass, bit for bit the same for every instruction set.
void diptych_prodigy_moments(
    const struct diptych_prodigy_options *options, const float *p, const float *start, const float *g, float *m,
    float *v, float *s, ptrdiff_t count, double *correlation, double *magnitude);

/// p = p decay - step m / (sqrt(v) + epsilon), bit for bit the same for every instruction set.
void diptych_prodigy_step(
    float decay, float step, float epsilon, float *p, const float *m, const float *v, ptrdiff_t count);

// For float32, in short.

static inline void diptych_unary(enum diptych_unary_function function, const float *x, float *y, ptrdiff_t count) {
    diptych_unary_as(function, DIPTYCH_FLOAT32, x, y, count);
}

static inline void diptych_binary(
    enum diptych_binary_function function, const float *a, ptrdiff_t step_a, const float *b, ptrdiff_t step_b, float *y,
    ptrdiff_t count) {
    struct diptych_run left = {a, step_a, 0}, right = {b, step_b, 0};
    diptych_binary_as(function, DIPTYCH_FLOAT32, left, right, y, 1, count);
}

static inline void diptych_affine(const float *x, float scale, float shift, float *y, ptrdiff_t count) {
    diptych_affine_as(DIPTYCH_FLOAT32, x, scale, shift, y, count);
}
