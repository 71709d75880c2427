// All kernels of ElementKernels.h and RowKernels.h, listed once: K(result, name, parameters, arguments).
#pragma once
#include "ElementKernels.h"
#include "RowKernels.h"

#define DIPTYCH_EACH_KERNEL(K)                                                                                         \
    K(void, unary, (enum diptych_unary_function f, const float *x, float *y, ptrdiff_t n), (f, x, y, n))               \
    K(void, unary_gradient,                                                                                            \
      (enum diptych_unary_function f, const float *x, const float *dy, float *dx, ptrdiff_t n), (f, x, dy, dx, n))     \
    K(void, binary,                                                                                                    \
      (enum diptych_binary_function f, const float *a, ptrdiff_t p, const float *b, ptrdiff_t q, float *y,             \
       ptrdiff_t n),                                                                                                   \
      (f, a, p, b, q, y, n))                                                                                           \
    K(void, affine, (const float *x, float scale, float shift, float *y, ptrdiff_t n), (x, scale, shift, y, n))        \
    K(void, accumulate, (const float *x, float p, float *y, float q, ptrdiff_t n), (x, p, y, q, n))                    \
    K(void, float32_to_bfloat16, (const float *x, uint16_t *y, ptrdiff_t n), (x, y, n))                                \
    K(void, bfloat16_to_float32, (const uint16_t *x, float *y, ptrdiff_t n), (x, y, n))                                \
    K(void, float32_to_float16, (const float *x, uint16_t *y, ptrdiff_t n), (x, y, n))                                 \
    K(void, float16_to_float32, (const uint16_t *x, float *y, ptrdiff_t n), (x, y, n))                                 \
    K(void, adamw,                                                                                                     \
      (const struct diptych_adamw_options *o, float *p, const float *g, float *m, float *v, ptrdiff_t n),              \
      (o, p, g, m, v, n))                                                                                              \
    K(double, sum, (const float *x, ptrdiff_t n), (x, n))                                                              \
    K(double, dot, (const float *x, const float *y, ptrdiff_t n), (x, y, n))                                           \
    K(float, maximum, (const float *x, ptrdiff_t n), (x, n))                                                           \
    K(void, sum_rows, (const float *x, ptrdiff_t m, ptrdiff_t stride, ptrdiff_t n, double divisor, float *y),          \
      (x, m, stride, n, divisor, y))                                                                                   \
    K(void, maximum_rows, (const float *x, ptrdiff_t m, ptrdiff_t stride, ptrdiff_t n, float *y),                      \
      (x, m, stride, n, y))                                                                                            \
    K(float, softmax, (const float *x, float *y, ptrdiff_t n), (x, y, n))                                              \
    K(void, exponential_of_difference, (const float *x, float shift, float *y, ptrdiff_t n), (x, shift, y, n))         \
    K(void, softmax_gradient, (const float *y, const float *dy, float shift, float *dx, ptrdiff_t n),                  \
      (y, dy, shift, dx, n))                                                                                           \
    K(void, moments, (const float *x, ptrdiff_t n, float epsilon, float *mean, float *reciprocal),                     \
      (x, n, epsilon, mean, reciprocal))                                                                               \
    K(float, reciprocal_rms, (const float *x, ptrdiff_t n, float epsilon), (x, n, epsilon))                            \
    K(void, normalize,                                                                                                 \
      (const float *x, float mean, float r, const float *weight, const float *bias, float *y, ptrdiff_t n),            \
      (x, mean, r, weight, bias, y, n))                                                                                \
    K(void, normalize_channel, (const float *x, float mean, float factor, float shift, float *y, ptrdiff_t n),         \
      (x, mean, factor, shift, y, n))                                                                                  \
    K(void, normalize_gradient_sums,                                                                                   \
      (const float *x, float mean, float r, const float *weight, const float *dy, ptrdiff_t n, double *sum,            \
       double *dot),                                                                                                   \
      (x, mean, r, weight, dy, n, sum, dot))                                                                           \
    K(void, normalize_gradient,                                                                                        \
      (const float *x, float mean, float r, const float *weight, float factor, const float *dy, float shift,           \
       float slope, float *dx, ptrdiff_t n),                                                                           \
      (x, mean, r, weight, factor, dy, shift, slope, dx, n))                                                           \
    K(void, normalize_parameter_gradient,                                                                              \
      (const float *x, const float *dy, const float *mean, const float *r, ptrdiff_t m, ptrdiff_t stride,              \
       ptrdiff_t n, float *dweight, float *dbias),                                                                     \
      (x, dy, mean, r, m, stride, n, dweight, dbias))                                                                  \
    K(void, rotary,                                                                                                    \
      (const float *x, const float *cosine, const float *sine, float sign, float *y, ptrdiff_t n),                     \
      (x, cosine, sine, sign, y, n))

/// The kernels of one instruction set.
struct diptych_kernels {
#define DECLARE(result, name, parameters, arguments) result(*name) parameters;
    DIPTYCH_EACH_KERNEL(DECLARE)
#undef DECLARE
};

extern const struct diptych_kernels diptych_kernels_scalar;
#if defined(__x86_64__)
extern const struct diptych_kernels diptych_kernels_avx2;
extern const struct diptych_kernels diptych_kernels_avx512;
#endif
