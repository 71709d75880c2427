#pragma once
#include <stddef.h>
#include <stdint.h>

#include "element_type.h"

// Kernels on whole rows, and on columns of a block of rows. Sums run in double precision, in sixteen interleaved parts
// whatever the instruction set.

/// The sum of a row.
double diptych_sum_as(enum diptych_type type, const void *x, ptrdiff_t count);

/// The sum of x[i] y[i].
double diptych_dot(const float *x, const float *y, ptrdiff_t count);

/// The largest element; NaN if there is one, minus infinity for an empty row.
float diptych_maximum(enum diptych_type type, const void *x, ptrdiff_t count);

/// y[column] = sum over rows of x[row stride + column], divided by `divisor`.
void diptych_sum_rows_as(
    enum diptych_type type, const void *x, ptrdiff_t rows, ptrdiff_t stride, ptrdiff_t columns, double divisor,
    float *y);

/// y[column] = the largest of x[row stride + column]; NaN wins, minus infinity without rows.
void diptych_maximum_rows(
    enum diptych_type type, const void *x, ptrdiff_t rows, ptrdiff_t stride, ptrdiff_t columns, float *y);

/// y = exp(x - max x) / sum; gives the logarithm of the sum of exp(x). A row of minus infinities (or none) gives
/// zeros and minus infinity.
float diptych_softmax(const float *x, float *y, ptrdiff_t count);

/// y[i] = exp(x[i] - shift).
void diptych_exponential_of_difference(const float *x, float shift, float *y, ptrdiff_t count);

/// dx[i] = y[i] (dy[i] - shift): the gradient of softmax, where `shift` is the dot product of y and dy.
void diptych_softmax_gradient(const float *y, const float *dy, float shift, float *dx, ptrdiff_t count);

/// The mean of a row and 1 / sqrt(variance + epsilon), in two passes.
void diptych_moments(const float *x, ptrdiff_t count, float epsilon, float *mean, float *reciprocal);

/// 1 / sqrt(mean of squares + epsilon).
float diptych_reciprocal_rms(const float *x, ptrdiff_t count, float epsilon);

/// y = (x - mean) reciprocal weight + bias; weight and bias may be null.
void diptych_normalize(
    const float *x, float mean, float reciprocal, const float *weight, const float *bias, float *y, ptrdiff_t count);

/// y = (x - mean) factor + shift.
void diptych_normalize_channel(
    const float *x, float mean, float factor, float shift, float *y, ptrdiff_t count);

/// The sums of d and of d (x - mean) reciprocal, where d = weight dy; weight may be null.
void diptych_normalize_gradient_sums(
    const float *x, float mean, float reciprocal, const float *weight, const float *dy, ptrdiff_t count, double *sum,
    double *dot);

/// dx = reciprocal (factor weight dy - shift - (x - mean) reciprocal scale); weight may be null.
void diptych_normalize_gradient(
    const float *x, float mean, float reciprocal, const float *weight, float factor, const float *dy, float shift,
    float scale, float *dx, ptrdiff_t count);

/// For each column: dweight = sum over rows of dy (x - mean[row]) reciprocal[row], dbias = sum over rows of dy. `mean`
/// may be null (zeros), `reciprocal` too (ones), and `dbias`. x and dy are of one type.
void diptych_normalize_parameter_gradient(
    enum diptych_type type, const void *x, const void *dy, const float *mean, const float *reciprocal, ptrdiff_t rows,
    ptrdiff_t stride, ptrdiff_t columns, float *dweight, float *dbias);

/// sum = x + y gate for each row, of one type.
void diptych_gated_sum(
    enum diptych_type type, const void *x, const void *y, const float *gate, void *sum, ptrdiff_t rows,
    ptrdiff_t columns);

/// Rotates `pairs` neighbouring pairs by angles given as cosine and sine; the sines are multiplied by `sign`.
void diptych_rotary(
    const float *x, const float *cosine, const float *sine, float sign, float *y, ptrdiff_t pairs);

// For float32, in short.

static inline double diptych_sum(const float *x, ptrdiff_t count) { return diptych_sum_as(DIPTYCH_FLOAT32, x, count); }

static inline void diptych_sum_rows(
    const float *x, ptrdiff_t rows, ptrdiff_t stride, ptrdiff_t columns, double divisor, float *y) {
    diptych_sum_rows_as(DIPTYCH_FLOAT32, x, rows, stride, columns, divisor, y);
}
