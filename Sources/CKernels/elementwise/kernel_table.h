// All kernels of elements.h and rows.h, listed once: K(result, name, parameters, arguments).
#pragma once
#include "elements.h"
#include "rows.h"

#define DIPTYCH_EACH_KERNEL(K)                                                                                         \
    K(void, unary_as, (enum diptych_unary_function f, enum diptych_type t, const void *x, void *y, ptrdiff_t n),          \
      (f, t, x, y, n))                                                                                                 \
    K(void, unary_gradient,                                                                                            \
      (enum diptych_unary_function f, enum diptych_type t, const void *x, const void *dy, void *dx, ptrdiff_t n),      \
      (f, t, x, dy, dx, n))                                                                                            \
    K(void, binary_as,                                                                                                    \
      (enum diptych_binary_function f, enum diptych_type t, struct diptych_run a, struct diptych_run b, void *y,       \
       ptrdiff_t m, ptrdiff_t n),                                                                                      \
      (f, t, a, b, y, m, n))                                                                                           \
    K(void, affine_as, (enum diptych_type t, const void *x, float scale, float shift, void *y, ptrdiff_t n),              \
      (t, x, scale, shift, y, n))                                                                                      \
    K(void, accumulate,                                                                                                \
      (enum diptych_type t, const void *x, float p, enum diptych_type u, void *y, float q, ptrdiff_t n),               \
      (t, x, p, u, y, q, n))                                                                                           \
    K(void, float32_to_bfloat16, (const float *x, uint16_t *y, ptrdiff_t n), (x, y, n))                                \
    K(void, bfloat16_to_float32, (const uint16_t *x, float *y, ptrdiff_t n), (x, y, n))                                \
    K(void, float32_to_float16, (const float *x, uint16_t *y, ptrdiff_t n), (x, y, n))                                 \
    K(void, float16_to_float32, (const uint16_t *x, float *y, ptrdiff_t n), (x, y, n))                                 \
    K(void, adamw,                                                                                                     \
      (const struct diptych_adamw_options *o, float *p, const float *g, float *m, float *v, ptrdiff_t n),              \
      (o, p, g, m, v, n))                                                                                              \
    K(void, prodigy_moments,                                                                                           \
      (const struct diptych_prodigy_options *o, const float *p, const float *start, const float *g, float *m,          \
       float *v, float *s, ptrdiff_t n, double *correlation, double *magnitude),                                       \
      (o, p, start, g, m, v, s, n, correlation, magnitude))                                                            \
    K(void, prodigy_step,                                                                                              \
      (float decay, float step, float epsilon, float *p, const float *m, const float *v, ptrdiff_t n),                 \
      (decay, step, epsilon, p, m, v, n))                                                                              \
    K(double, sum_as, (enum diptych_type t, const void *x, ptrdiff_t n), (t, x, n))                                       \
    K(double, dot, (const float *x, const float *y, ptrdiff_t n), (x, y, n))                                           \
    K(float, maximum, (enum diptych_type t, const void *x, ptrdiff_t n), (t, x, n))                                    \
    K(void, sum_rows_as,                                                                                                  \
      (enum diptych_type t, const void *x, ptrdiff_t m, ptrdiff_t stride, ptrdiff_t n, double divisor, float *y),      \
      (t, x, m, stride, n, divisor, y))                                                                                \
    K(void, maximum_rows,                                                                                              \
      (enum diptych_type t, const void *x, ptrdiff_t m, ptrdiff_t stride, ptrdiff_t n, float *y),                      \
      (t, x, m, stride, n, y))                                                                                         \
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
       float scale, float *dx, ptrdiff_t n),                                                                           \
      (x, mean, r, weight, factor, dy, shift, scale, dx, n))                                                           \
    K(void, normalize_parameter_gradient,                                                                              \
      (enum diptych_type t, const void *x, const void *dy, const float *mean, const float *r, ptrdiff_t m,             \
       ptrdiff_t stride, ptrdiff_t n, float *dweight, float *dbias),                                                   \
      (t, x, dy, mean, r, m, stride, n, dweight, dbias))                                                               \
    K(void, gated_sum,                                                                                                 \
      (enum diptych_type t, const void *x, const void *y, const float *gate, void *sum, ptrdiff_t m, ptrdiff_t n),     \
      (t, x, y, gate, sum, m, n))                                                                                      \
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
