// Vectors of attention: loads and stores of both types, powers of two, sums over lanes. Part of attention_template.h.

#ifdef PAIRS
#define UNIT_ELEMENTS 2
#else
#define UNIT_ELEMENTS 1
#endif
#define INLINE static inline __attribute__((always_inline))
#define PANEL (2 * LANES)
/// Products over keys or queries, and over depth, run over multiples of so many: the matrix unit takes 16 pairs a step.
#ifdef TILE_UNIT
#define ROW_STEP (2 * LANES)
#define UNIT_STEP LANES
#else
#define ROW_STEP LANES
#define UNIT_STEP 1
#endif
/// Packed rows of a register tile.
#define TILE_STEP ((TILE_ROWS + LANES - 1) / LANES * LANES)

typedef float floats __attribute__((vector_size(4 * LANES)));
typedef float loose_floats __attribute__((vector_size(4 * LANES), aligned(4)));
typedef uint32_t units __attribute__((vector_size(4 * LANES)));
typedef int32_t integers __attribute__((vector_size(4 * LANES)));
typedef uint32_t loose_units __attribute__((vector_size(4 * LANES), aligned(4)));
typedef uint16_t halves __attribute__((vector_size(2 * LANES)));
typedef uint16_t loose_halves __attribute__((vector_size(2 * LANES), aligned(2)));
typedef float few_floats __attribute__((vector_size(2 * LANES), aligned(4)));

INLINE floats splat(float x) { return (floats){0} + x; }

INLINE floats pick(integers mask, floats a, floats b) {
    return (floats)((mask & (integers)a) | (~mask & (integers)b));
}

/// The larger of each lane; where one is NaN, either.
INLINE floats larger(floats a, floats b) {
#ifdef HARDWARE_MAXIMUM
    return HARDWARE_MAXIMUM(a, b);
#else
    return __builtin_elementwise_max(a, b);
#endif
}

INLINE ptrdiff_t size_of(int type) { return type == gemm_float32 ? 4 : 2; }

/// Neighbours as floats.
INLINE floats load_whole(const void *from, int type) {
    if (type == gemm_float32) return (floats) * (const loose_floats *)from;
    return (floats)(__builtin_convertvector((halves) * (const loose_halves *)from, units) << 16);
}

/// Fewer neighbours than lanes, zeros behind them. Out of line, so that whole vectors never visit memory in between.
static __attribute__((noinline)) void load_some(const void *from, int type, ptrdiff_t rest, floats *to) {
    char padded[4 * LANES] __attribute__((aligned(64))) = {0};
    memcpy(padded, from, (size_t)(rest * size_of(type)));
    *to = load_whole(padded, type);
}

/// Neighbours as floats, of which `rest` exist; zeros behind them.
INLINE floats load(const void *from, int type, ptrdiff_t rest) {
    if (rest >= LANES) return load_whole(from, type);
    floats x;
    load_some(from, type, rest, &x);
    return x;
}

/// To nearest bfloat16, ties to even.
INLINE halves rounded(floats x) {
#ifdef PAIRS
    return (halves)_mm512_cvtneps_pbh((__m512)x);
#else
    units bits = (units)x;
    units nan = (units)((bits & 0x7fffffff) > 0x7f800000);
    units even = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
    return __builtin_convertvector((nan & (bits >> 16 | 0x40)) | (~nan & even), halves);
#endif
}

INLINE void store_whole(floats x, void *to, int type) {
    if (type == gemm_float32)
        *(loose_floats *)to = x;
    else
        *(loose_halves *)to = rounded(x);
}

static __attribute__((noinline)) void store_some(const floats *x, void *to, int type, ptrdiff_t rest) {
    char whole[4 * LANES] __attribute__((aligned(64)));
    store_whole(*x, whole, type);
    memcpy(to, whole, (size_t)(rest * size_of(type)));
}

/// Writes the first `rest` lanes.
INLINE void store(floats x, void *to, int type, ptrdiff_t rest) {
    if (rest >= LANES) {
        store_whole(x, to, type);
    } else {
        floats copy = x;
        store_some(&copy, to, type, rest);
    }
}

/// How much of a vector at `i` lies before the end: a constant where it is known that all do.
INLINE ptrdiff_t rest_of(const int is_whole, ptrdiff_t depth, ptrdiff_t i) { return is_whole ? LANES : depth - i; }

/// LANES neighbours into units: as they are, or half as many pairs of bfloat16.
INLINE void store_units(floats x, gemm_unit *to) {
    store_whole(x, to, UNIT_ELEMENTS == 2 ? gemm_bfloat16 : gemm_float32);
}

/// 2^x; 0 far below, exactly 1 at 0. A minimax polynomial of our own, to a relative 2e-9, or 3e-6 where the result is
/// rounded to bfloat16.
INLINE floats power_of_two(floats x) {
#if LANES == 16
    floats low = (floats)_mm512_max_ps(_mm512_set1_ps(-200), (__m512)x);
    floats whole = (floats)_mm512_roundscale_ps((__m512)low, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    floats r = low - whole;
#else
    integers vanishes = x < -126.0f;
    floats low = pick(vanishes, splat(-126), x);
    // Adding 1.5 * 2^23 rounds to an integer, which then stands in the low bits.
    floats shifted = low + 12582912.0f;
    floats r = low - (shifted - 12582912.0f);
#endif
#ifdef PAIRS
    floats p = splat(0.009582853f);
    p = p * r + 0.055906426f;
    p = p * r + 0.24024099f;
    p = p * r + 0.6931242f;
#else
    floats p = splat(0.00015353362f);
    p = p * r + 0.0013398875f;
    p = p * r + 0.009618437f;
    p = p * r + 0.055503324f;
    p = p * r + 0.24022648f;
    p = p * r + 0.6931472f;
#endif
    p = p * r + 1.0f;
#if LANES == 16
    return (floats)_mm512_scalef_ps((__m512)p, (__m512)whole);
#else
    floats result = p * (floats)(((integers)shifted - 0x4b400000 + 127) << 23);
    return pick(vanishes, splat(0), result);
#endif
}

/// The neighbours in one half of `a` and `b`, one from each in turn: the lower halves, or the upper.
#if LANES == 16
#define LOWER_PAIRS(a, b) __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#define UPPER_PAIRS(a, b) __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)
#elif LANES == 8
#define LOWER_PAIRS(a, b) __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11)
#define UPPER_PAIRS(a, b) __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15)
#else
#define LOWER_PAIRS(a, b) __builtin_shufflevector(a, b, 0, 4, 1, 5)
#define UPPER_PAIRS(a, b) __builtin_shufflevector(a, b, 2, 6, 3, 7)
#endif

/// Transposes a square of units: each round interleaves the two halves of the list.
INLINE void transpose(units x[LANES]) {
    for (int round = 1; round < LANES; round *= 2) {
        units y[LANES];
#pragma clang loop unroll(full)
        for (int i = 0; i < LANES / 2; i++) {
            y[2 * i] = LOWER_PAIRS(x[i], x[i + LANES / 2]);
            y[2 * i + 1] = UPPER_PAIRS(x[i], x[i + LANES / 2]);
        }
#pragma clang loop unroll(full)
        for (int i = 0; i < LANES; i++) x[i] = y[i];
    }
}

/// The sum over the lanes of each of LANES vectors: a transposition that adds as it goes.
INLINE floats totals(floats x[LANES]) {
#pragma clang loop unroll(full)
    for (int width = LANES / 2; width > 0; width /= 2)
#pragma clang loop unroll(full)
        for (int i = 0; i < width; i++) x[i] = LOWER_PAIRS(x[i], x[i + width]) + UPPER_PAIRS(x[i], x[i + width]);
    return x[0];
}

/// The largest lane of each of LANES vectors.
INLINE floats maxima(floats x[LANES]) {
#pragma clang loop unroll(full)
    for (int width = LANES / 2; width > 0; width /= 2)
#pragma clang loop unroll(full)
        for (int i = 0; i < width; i++) x[i] = larger(LOWER_PAIRS(x[i], x[i + width]), UPPER_PAIRS(x[i], x[i + width]));
    return x[0];
}
