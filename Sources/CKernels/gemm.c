// The plan of a matrix product: which kernels, which blocks, in which order. gemm.h says what is computed.
#include "gemm_internal.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#if defined(__x86_64__) && defined(__linux__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

#if defined(__x86_64__)
static int has_bf16(void) {
    unsigned a, b, c, d;
    return __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a >> 5 & 1);
}

/// Whether the processor has bfloat16 tiles and the system lends them to this process (Linux asks to be asked).
static int has_amx(void) {
    unsigned a, b, c, d;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(d >> 22 & 1) || !(d >> 24 & 1)) return 0;
    const long request_permission = 0x1023, tile_data = 18;
    return syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
}

static int detect(void) {
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return gemm_portable;
    if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw")
        || !__builtin_cpu_supports("avx512dq") || !__builtin_cpu_supports("avx512vl"))
        return gemm_avx2;
    if (!has_bf16()) return gemm_avx512;
    return has_amx() ? gemm_amx : gemm_avx512_bf16;
}
#else
static int detect(void) { return gemm_portable; }
#endif

static int best_level = gemm_scalar;
static pthread_once_t detected = PTHREAD_ONCE_INIT;
static void remember_level(void) { best_level = detect(); }

int gemm_supports(int level) {
    pthread_once(&detected, remember_level);
    return level >= gemm_scalar && level <= best_level;
}

const gemm_kernels *gemm_kernels_of(int level, int pairs) {
#if defined(__x86_64__)
    switch (level) {
    case gemm_amx:
        if (pairs) return &gemm_kernels_amx;
        return &gemm_kernels_avx512;
    case gemm_avx512_bf16:
        if (pairs) return &gemm_kernels_avx512_bf16;
        return &gemm_kernels_avx512;
    case gemm_avx512: return &gemm_kernels_avx512;
    case gemm_avx2: return &gemm_kernels_avx2;
    }
#endif
    (void)level;
    (void)pairs;
    return &gemm_kernels_portable;
}

static const gemm_kernels *kernels_of(int level, const gemm_product *p) {
    return gemm_kernels_of(level, p->a.type == gemm_bfloat16 && p->b.type == gemm_bfloat16);
}

static ptrdiff_t least(ptrdiff_t a, ptrdiff_t b) { return a < b ? a : b; }
static ptrdiff_t quotient(ptrdiff_t a, ptrdiff_t b) { return (a + b - 1) / b; }
static ptrdiff_t multiple(ptrdiff_t a, ptrdiff_t b) { return quotient(a, b) * b; }

// MARK: Memory

typedef struct {
    void *bytes;
    size_t size;
} buffer;

static pthread_key_t buffers;
static pthread_once_t buffers_made = PTHREAD_ONCE_INIT;

static void release(void *pointer) {
    buffer *list = pointer;
    for (int i = 0; i < 2; i++) free(list[i].bytes);
    free(list);
}

static void make_key(void) {
    if (pthread_key_create(&buffers, release) != 0) abort();
}

/// The thread's buffer for packed rows (0) or for everything else (1).
static void *buffer_of(int which, size_t size) {
    pthread_once(&buffers_made, make_key);
    buffer *list = pthread_getspecific(buffers);
    if (!list) {
        list = calloc(2, sizeof(buffer));
        if (!list || pthread_setspecific(buffers, list) != 0) abort();
    }
    if (list[which].size < size) {
        free(list[which].bytes);
        list[which].size = (size + 4095) / 4096 * 4096;
        list[which].bytes = aligned_alloc(4096, list[which].size);
        if (!list[which].bytes) abort();
    }
    return list[which].bytes;
}

void *gemm_thread_buffer(size_t size) { return buffer_of(0, size); }

// MARK: The plan

/// How k is divided: `blocks` blocks of at most `elements` elements, `units` packed units each.
typedef struct {
    ptrdiff_t blocks, elements, units;
} depth;

static depth depth_of(const gemm_kernels *kernels, ptrdiff_t k) {
    depth d;
    ptrdiff_t whole = quotient(k, kernels->pair);
    d.blocks = whole > GEMM_UNITS ? quotient(whole, GEMM_UNITS) : 1;
    d.units = multiple(quotient(whole, d.blocks), 16);
    d.elements = d.units * kernels->pair;
    d.blocks = k > 0 ? quotient(k, d.elements) : 1;
    return d;
}

static int is_thin(const gemm_product *p) { return p->m <= GEMM_THIN || p->n <= GEMM_THIN; }

gemm_plan gemm_plan_for(int level, const gemm_product *p) {
    const gemm_kernels *kernels = kernels_of(level, p);
    gemm_plan plan = {p->m > 0 ? p->m : 1, kernels->rows, 2 * kernels->lanes, 0};
    if (level == gemm_scalar || is_thin(p)) return plan;
    depth d = depth_of(kernels, p->k);
    const ptrdiff_t row_size = d.blocks * GEMM_STRIDE * (ptrdiff_t)sizeof(gemm_unit);
    // Every block of rows packs all of `b` again, from memory when it is large: few blocks, as far as caches reach.
    ptrdiff_t most = (24 << 20) / row_size;
    if (most < 240) most = 240;
    plan.row_block = multiple(quotient(p->m, quotient(p->m, most)), kernels->rows);
    plan.packed_size = (size_t)(plan.row_block * row_size);
    return plan;
}

// MARK: The oracle

static void store(const gemm_product *p, ptrdiff_t row, ptrdiff_t column, float value) {
    const ptrdiff_t at = row * p->c_row + column;
    if (p->c_type == gemm_bfloat16)
        ((uint16_t *)p->c)[at] = gemm_rounded(value);
    else
        ((float *)p->c)[at] = value;
}

/// Finishes one sum.
static float finished(const gemm_product *p, ptrdiff_t row, ptrdiff_t column, float sum) {
    float value = sum * p->alpha;
    if (p->bias) value += p->bias[column];
    if (p->beta != 0) value += p->beta * ((const float *)p->c)[row * p->c_row + column];
    return value;
}

static void compute_scalar(
    const gemm_product *p, ptrdiff_t from, ptrdiff_t to, ptrdiff_t left, ptrdiff_t right) {
    for (ptrdiff_t i = from; i < to; i++)
        for (ptrdiff_t j = left; j < right; j++) {
            double sum = 0;
            for (ptrdiff_t q = 0; q < p->k; q++)
                sum += (double)gemm_element(&p->a, i, q) * (double)gemm_element(&p->b, q, j);
            store(p, i, j, finished(p, i, j, (float)sum));
        }
}

// MARK: Few rows or columns

/// Four or fewer rows of `x`, float32 and contiguous: as they lie when they are, otherwise a copy.
static const float *thin_rows(
    const gemm_matrix *x, ptrdiff_t first, ptrdiff_t rows, ptrdiff_t k, float *copy, ptrdiff_t *step) {
    if (x->type == gemm_float32 && x->column == 1) {
        *step = x->row;
        return (const float *)x->data + first * x->row;
    }
    for (ptrdiff_t r = 0; r < rows; r++)
        for (ptrdiff_t q = 0; q < k; q++) copy[r * k + q] = gemm_element(x, first + r, q);
    *step = k;
    return copy;
}

/// Reads the wide operand once as it lies. With few columns, the transposed product is computed.
static void compute_thin(
    const gemm_kernels *kernels, const gemm_product *p, ptrdiff_t from, ptrdiff_t to, ptrdiff_t left, ptrdiff_t right) {
    const int turned = p->m > GEMM_THIN;
    const gemm_matrix turned_b = {p->b.data, p->b.type, p->b.column, p->b.row};
    const gemm_matrix turned_a = {p->a.data, p->a.type, p->a.column, p->a.row};
    const gemm_matrix *thin = turned ? &turned_b : &p->a, *wide = turned ? &turned_a : &p->b;
    const ptrdiff_t first = turned ? left : from, last = turned ? right : to;
    const ptrdiff_t begin = turned ? from : left, end = turned ? to : right, block = 512;
    float *space = buffer_of(1, (size_t)(GEMM_THIN * (p->k + block)) * sizeof(float));
    const int rows = (int)(last - first);
    ptrdiff_t step;
    const float *lines = thin_rows(thin, first, rows, p->k, space + GEMM_THIN * block, &step);
    for (ptrdiff_t j = begin; j < end; j += block) {
        const ptrdiff_t stop = least(j + block, end);
        // Of a wide operand that is one column or one row thick, both distances may be 1.
        if (wide->column == 1 && (wide->row != 1 || p->k == 1))
            kernels->thin_along_n(rows, lines, step, wide, p->k, j, stop, space, block);
        else
            kernels->thin_along_k(rows, lines, step, wide, p->k, j, stop, space, block);
        if (turned) {
            for (ptrdiff_t i = j; i < stop; i++)
                for (int r = 0; r < rows; r++)
                    store(p, i, first + r, finished(p, i, first + r, space[r * block + i - j]));
        } else {
            for (int r = 0; r < rows; r++)
                for (ptrdiff_t i = j; i < stop; i++)
                    store(p, first + r, i, finished(p, first + r, i, space[r * block + i - j]));
        }
    }
}

// MARK: Packed

void gemm_pack_rows(
    int level, const gemm_product *p, ptrdiff_t block, ptrdiff_t from, ptrdiff_t to, void *packed) {
    const gemm_kernels *kernels = kernels_of(level, p);
    const gemm_plan plan = gemm_plan_for(level, p);
    if (plan.packed_size == 0) return;
    const depth d = depth_of(kernels, p->k);
    for (ptrdiff_t i = 0; i < d.blocks; i++)
        kernels->pack_a(
            &p->a, from, to - from, i * d.elements, least((i + 1) * d.elements, p->k), d.units,
            (gemm_unit *)packed + (i * plan.row_block + from - block) * GEMM_STRIDE);
}

/// Adds a tile that ends inside a panel.
static void merge(
    const float *tile, ptrdiff_t panel, ptrdiff_t rows, ptrdiff_t columns, float *c, ptrdiff_t c_row, float beta,
    const float *bias) {
    for (ptrdiff_t r = 0; r < rows; r++)
        for (ptrdiff_t j = 0; j < columns; j++) {
            float value = tile[r * panel + j];
            if (bias) value += bias[j];
            if (beta != 0) value += beta * c[r * c_row + j];
            c[r * c_row + j] = value;
        }
}

static void compute_packed(
    const gemm_kernels *kernels, const gemm_plan *plan, const gemm_product *p, ptrdiff_t block, const gemm_unit *packed,
    ptrdiff_t from, ptrdiff_t to, ptrdiff_t left, ptrdiff_t right) {
    const depth d = depth_of(kernels, p->k);
    const ptrdiff_t panel = 2 * kernels->lanes, rows = to - from;
    const int rounds = p->c_type == gemm_bfloat16;
    const size_t b_size = (size_t)(d.units * GEMM_COLUMNS) * sizeof(gemm_unit);
    const size_t c_size = rounds ? (size_t)(rows * GEMM_COLUMNS) * sizeof(float) : 0;
    char *space = buffer_of(1, b_size + c_size);
    gemm_unit *b = (gemm_unit *)space;
    const ptrdiff_t groups = quotient(rows, kernels->rows);
    float edge[32 * 32] __attribute__((aligned(64)));
    if (kernels->begin) kernels->begin();
    for (ptrdiff_t first = left; first < right; first += GEMM_COLUMNS) {
        const ptrdiff_t last = least(first + GEMM_COLUMNS, right);
        float *c = rounds ? (float *)(space + b_size) : (float *)p->c + from * p->c_row + first;
        const ptrdiff_t c_row = rounds ? GEMM_COLUMNS : p->c_row;
        for (ptrdiff_t i = 0; i < d.blocks; i++) {
            const ptrdiff_t start = i * d.elements, end = least(start + d.elements, p->k);
            const ptrdiff_t units = multiple(quotient(end - start, kernels->pair), kernels->unit_step);
            const float beta = i == 0 ? p->beta : 1;
            kernels->pack_b(&p->b, first, last, start, end, units, b);
            for (ptrdiff_t g = 0; g < groups; g++) {
                // Tiles of nearly equal height, where the kernel knows all heights.
                const ptrdiff_t top = kernels->balances ? g * rows / groups : g * kernels->rows;
                const ptrdiff_t bottom = kernels->balances ? (g + 1) * rows / groups : least(top + kernels->rows, rows);
                const int height = (int)(bottom - top);
                const gemm_unit *a = packed + (i * plan->row_block + from - block + top) * GEMM_STRIDE;
                for (ptrdiff_t j = first; j < last; j += panel) {
                    const gemm_unit *right_panel = b + (j - first) / panel * panel * units;
                    const float *bias = p->bias && i == 0 ? p->bias + j : NULL;
                    const int half = last - j <= kernels->lanes;
                    float *target = c + top * c_row + (j - first);
                    if (last - j >= panel && (kernels->balances || height == kernels->rows)) {
                        kernels->tile(height, 0, units, a, right_panel, target, c_row, p->alpha, beta, bias);
                    } else {
                        kernels->tile(height, half, units, a, right_panel, edge, panel, p->alpha, 0, NULL);
                        merge(edge, panel, height, least(panel, last - j), target, c_row, beta, bias);
                    }
                }
            }
        }
        if (rounds)
            for (ptrdiff_t r = 0; r < rows; r++)
                kernels->round(
                    c + r * GEMM_COLUMNS, (uint16_t *)p->c + (from + r) * p->c_row + first, last - first);
    }
    if (kernels->end) kernels->end();
}

void gemm_compute(
    int level, const gemm_product *p, ptrdiff_t block, const void *packed, ptrdiff_t from, ptrdiff_t to, ptrdiff_t left,
    ptrdiff_t right) {
    if (from >= to || left >= right) return;
    if (level == gemm_scalar) return compute_scalar(p, from, to, left, right);
    const gemm_kernels *kernels = kernels_of(level, p);
    if (is_thin(p)) return compute_thin(kernels, p, from, to, left, right);
    const gemm_plan plan = gemm_plan_for(level, p);
    compute_packed(kernels, &plan, p, block, packed, from, to, left, right);
}
