// A product as blocks: which ones, in which order, packed where. gemm.h says what is computed.
#include "kernels.h"
#include <string.h>

/// How k is divided: `blocks` blocks of at most `elements` elements, `units` packed units each, `row` units from one
/// packed row to the next.
typedef struct {
    ptrdiff_t blocks, elements, units, row;
} depth;

static depth depth_of(const diptych_gemm_kernels *kernels, ptrdiff_t k) {
    depth d;
    const ptrdiff_t whole = quotient(k, kernels->pair);
    d.blocks = whole > GEMM_UNITS ? quotient(whole, GEMM_UNITS) : 1;
    d.units = multiple(quotient(whole > 0 ? whole : 1, d.blocks), 16);
    d.elements = d.units * kernels->pair;
    d.blocks = k > 0 ? quotient(k, d.elements) : 1;
    // An odd number of cache lines, so that rows do not share sets.
    d.row = (d.units / 16 | 1) * 16;
    return d;
}

/// Whether rows begin in one set of the first-level cache, so that those of a tile evict each other.
static int is_crowded(const diptych_gemm_matrix *a) { return a->row * element_size(a->type) % 4096 == 0; }

/// Whether tiles read the rows of `a` in place: whole units, and rows that do not evict each other from the cache. Crowded
/// rows are copied tile by tile where that is done once, for few columns.
static int is_direct(
    const diptych_gemm_product *p, const diptych_gemm_kernels *kernels, const diptych_gemm_term *term) {
    const diptych_gemm_matrix *a = &term->a;
    if (a->column != 1 || a->type != (kernels->pair == 2 ? DIPTYCH_BFLOAT16 : DIPTYCH_FLOAT32)) return 0;
    if (term->k % (kernels->pair * kernels->unit_step) != 0 || term->k == 0) return 0;
    return !is_crowded(a) || p->n <= GEMM_COLUMNS;
}

diptych_gemm_plan diptych_gemm_plan_for(enum diptych_kernel_level level, const diptych_gemm_product *p) {
    diptych_gemm_plan plan = {p->m > 0 ? p->m : 1, 1, 1, 0};
    ptrdiff_t row_size = 0;
    for (ptrdiff_t t = 0; t < p->term_count; t++) {
        const diptych_gemm_kernels *kernels = diptych_gemm_kernels_for(level, &p->terms[t]);
        if (kernels->rows > plan.row_step) plan.row_step = kernels->rows;
        if (2 * kernels->lanes > plan.column_step) plan.column_step = 2 * kernels->lanes;
        if (is_direct(p, kernels, &p->terms[t])) continue;
        const depth d = depth_of(kernels, p->terms[t].k);
        row_size += d.blocks * d.row * (ptrdiff_t)sizeof(diptych_unit);
    }
    if (level == DIPTYCH_LEVEL_PLAIN || diptych_gemm_is_thin(p) || row_size == 0) return plan;
    // Every block of rows packs all of `b` again, from memory when it is large: few blocks, as far as caches reach.
    ptrdiff_t most = (12 << 20) / row_size;
    if (most < 240) most = 240;
    plan.row_block = multiple(quotient(p->m, quotient(p->m, most)), plan.row_step);
    plan.packed_size = (size_t)(plan.row_block * row_size);
    return plan;
}

void diptych_gemm_pack_rows(
    enum diptych_kernel_level level, const diptych_gemm_product *p, ptrdiff_t block, ptrdiff_t from, ptrdiff_t to,
    void *packed) {
    const diptych_gemm_plan plan = diptych_gemm_plan_for(level, p);
    if (plan.packed_size == 0) return;
    diptych_unit *target = packed;
    for (ptrdiff_t t = 0; t < p->term_count; t++) {
        const diptych_gemm_term *term = &p->terms[t];
        const diptych_gemm_kernels *kernels = diptych_gemm_kernels_for(level, term);
        if (is_direct(p, kernels, term)) continue;
        const depth d = depth_of(kernels, term->k);
        for (ptrdiff_t i = 0; i < d.blocks; i++, target += plan.row_block * d.row)
            kernels->pack_a(
                &term->a, from, to - from, i * d.elements, least((i + 1) * d.elements, term->k), d.units,
                target + (from - block) * d.row, d.row);
    }
}

/// A block of k of one term, its panels of `b` packed.
typedef struct {
    /// Rows of `a`, packed or in place, from the first of the range on, `a_step` bytes apart.
    const char *a;
    ptrdiff_t a_step;
    /// From one row to the next of the copy that tiles read instead, in bytes, or 0.
    ptrdiff_t copy_step;
    /// Packed panels of `b`.
    const diptych_unit *b;
    ptrdiff_t units;
} segment;

/// A part of `c` that is being computed: rows `from..<to` and columns `first..<last`, and where its sums are kept between batches of k.
typedef struct {
    const diptych_gemm_product *product;
    ptrdiff_t from, to, first, last;
    float *sums;
    ptrdiff_t sums_row;
    /// The blocks of k that are multiplied tile by tile, one after the other while the tile is in the first-level cache.
    segment segments[GEMM_SEGMENTS];
    int segment_count;
    /// Room for the copied rows of a tile.
    char *copies;
    /// Whether these are the first, or the last, of all.
    int opens, closes;
} tile_range;

/// Adds bias and addend, or the sums of the batches before, to the sums of a tile whose rows are a panel apart.
static void add_initial(
    const tile_range *w, const diptych_gemm_kernels *kernels, float *tile, ptrdiff_t top, ptrdiff_t j, ptrdiff_t height,
    ptrdiff_t width) {
    const diptych_gemm_epilogue *y = &w->product->epilogue;
    const ptrdiff_t panel = 2 * kernels->lanes;
    float old[32 * 32];
    const float *addend = NULL;
    ptrdiff_t addend_row = panel;
    if (!w->opens) {
        addend = w->sums + top * w->sums_row + j - w->first;
        addend_row = w->sums_row;
    } else if (y->addend.data) {
        const ptrdiff_t at = (w->from + top) * y->addend.row + j;
        kernels->widen(
            height, width, y->addend.type, (const char *)y->addend.data + at * element_size(y->addend.type),
            y->addend.row, old, panel);
        addend = old;
    }
    const float *bias = w->opens && y->bias ? y->bias + j : NULL;
    for (ptrdiff_t r = 0; r < height; r++) {
        float *line = tile + r * panel;
        if (addend && bias)
            for (ptrdiff_t i = 0; i < width; i++) line[i] = line[i] + bias[i] + addend[r * addend_row + i];
        else if (addend)
            for (ptrdiff_t i = 0; i < width; i++) line[i] += addend[r * addend_row + i];
        else if (bias)
            for (ptrdiff_t i = 0; i < width; i++) line[i] += bias[i];
    }
}

/// Writes finished tiles, whose rows are `row` apart, to `c` or to a matrix laid out like it.
static void write_tiles(
    const diptych_gemm_product *p, const diptych_gemm_kernels *kernels, const float *tiles, ptrdiff_t row, void *to,
    ptrdiff_t at, ptrdiff_t height, ptrdiff_t width) {
    if (p->c_type == DIPTYCH_BFLOAT16) {
        kernels->round(height, width, tiles, row, (uint16_t *)to + at, p->c_row);
        return;
    }
    for (ptrdiff_t r = 0; r < height; r++)
        for (ptrdiff_t i = 0; i < width; i++) ((float *)to + at)[r * p->c_row + i] = tiles[r * row + i];
}

/// Where the rows of each segment begin from `top` on, `height` of them, after copying those that are to be copied.
static void reach_rows(const tile_range *w, ptrdiff_t top, ptrdiff_t height, const char *a[], ptrdiff_t a_step[]) {
    char *to = w->copies;
    for (int s = 0; s < w->segment_count; s++) {
        const segment *x = &w->segments[s];
        a[s] = x->a + top * x->a_step;
        a_step[s] = x->a_step;
        if (x->copy_step == 0) continue;
        for (ptrdiff_t r = 0; r < height; r++)
            memcpy(to + r * x->copy_step, a[s] + r * x->a_step, (size_t)x->units * sizeof(diptych_unit));
        a[s] = to;
        a_step[s] = x->copy_step;
        to += height * x->copy_step;
    }
}

/// Panels whose sums wait in a buffer until the last segment's are added.
#define EDGE_PANELS 4

/// Of so many columns, the vectors that tiles can take without ending inside one: those of whole panels, and one that is
/// left.
static ptrdiff_t whole_vectors(const diptych_gemm_kernels *kernels, ptrdiff_t columns) {
    const ptrdiff_t panel = 2 * kernels->lanes;
    return columns / panel * 2 + (columns % panel == kernels->lanes);
}

/// All tiles of a range for its blocks of k.
static void multiply_part(const tile_range *w, const diptych_gemm_kernels *kernels) {
    const diptych_gemm_product *p = w->product;
    const ptrdiff_t lanes = kernels->lanes, rows = w->to - w->from;
    const ptrdiff_t groups = quotient(rows, kernels->rows);
    // Whether the last sums go to a buffer, to be rounded or activated.
    const int finishes = w->closes && (p->c_type == DIPTYCH_BFLOAT16 || p->epilogue.activate);
    const diptych_gemm_matrix *addend = &p->epilogue.addend;
    const int widens = w->opens && addend->data && addend->type != DIPTYCH_FLOAT32;
    float edge[32 * 32 * EDGE_PANELS] __attribute__((aligned(64))) = {0};
    for (ptrdiff_t g = 0; g < groups; g++) {
        // Tiles of nearly equal height.
        const ptrdiff_t top = g * rows / groups;
        const int height = (int)((g + 1) * rows / groups - top);
        const char *a[GEMM_SEGMENTS];
        ptrdiff_t a_step[GEMM_SEGMENTS];
        reach_rows(w, top, height, a, a_step);
        for (ptrdiff_t j = w->first, width; j < w->last; j += width) {
            ptrdiff_t vectors = whole_vectors(kernels, w->last - j);
            // Tiles that end inside a vector, or whose addend must be widened, begin with nothing.
            const int fits = vectors > 0 && !widens;
            const int rounds = finishes && fits && !p->epilogue.activate && kernels->tiles_rounded;
            // As many panels as the buffer holds, where sums wait in it for the segments that follow.
            if (!fits)
                vectors = least(2, quotient(w->last - j, lanes));
            else if (finishes && !(rounds && w->segment_count == 1))
                vectors = least(2 * EDGE_PANELS, vectors);
            width = least(vectors * lanes, w->last - j);
            float *kept = w->sums + top * w->sums_row + j - w->first;
            const ptrdiff_t at = (w->from + top) * p->c_row + j;
            const ptrdiff_t edge_row = multiple(vectors, 2) * lanes;
            const int aside = finishes || !fits;
            float *target = aside ? edge : kept;
            const ptrdiff_t target_row = aside ? edge_row : w->sums_row;
            diptych_tile_epilogue y = {.c = target, .c_row = target_row, .alpha = p->epilogue.alpha};
            if (fits && !w->opens) {
                y.addend = kept;
                y.addend_row = w->sums_row;
            } else if (fits) {
                if (addend->data) y.addend = (const float *)addend->data + (w->from + top) * addend->row + j;
                y.addend_row = addend->row;
                if (p->epilogue.bias) y.bias = p->epilogue.bias + j;
            }
            for (int s = 0; s < w->segment_count; s++) {
                const segment *x = &w->segments[s];
                const diptych_tile_operands operands = {
                    .rows = height, .units = x->units, .a = a[s], .a_step = a_step[s],
                    .b = x->b + (j - w->first) * x->units, .b_step = 2 * lanes};
                if (rounds && s == w->segment_count - 1) {
                    y.c = (uint16_t *)p->c + at;
                    y.c_row = p->c_row;
                    kernels->tiles_rounded(&operands, vectors, &y);
                    break;
                }
                kernels->tiles(&operands, vectors, &y);
                if (s == 0 && !fits) add_initial(w, kernels, edge, top, j, height, width);
                y.addend = target;
                y.addend_row = target_row;
                y.bias = NULL;
            }
            if (rounds) continue;
            if (finishes) {
                if (p->epilogue.activate) {
                    if (p->epilogue.preactivation)
                        write_tiles(p, kernels, edge, edge_row, p->epilogue.preactivation, at, height, width);
                    p->epilogue.activate(edge, edge, height * edge_row);
                }
                write_tiles(p, kernels, edge, edge_row, p->c, at, height, width);
            } else if (!fits) {
                for (ptrdiff_t r = 0; r < height; r++)
                    memcpy(kept + r * w->sums_row, edge + r * edge_row, (size_t)width * sizeof(float));
            }
        }
    }
}

/// A block of k: which of which term.
typedef struct {
    ptrdiff_t term, block;
} k_block;

/// How the blocks of k are taken: as many at a time as `units` holds, for `columns` columns.
typedef struct {
    ptrdiff_t units, columns, batches;
} schedule;

/// Advances `at` past the blocks that are multiplied together, of one kind of kernel and at most `most` units; returns how
/// many they are.
static int take_batch(enum diptych_kernel_level level, const diptych_gemm_product *p, ptrdiff_t most, k_block *at) {
    const diptych_gemm_kernels *kernels = diptych_gemm_kernels_for(level, &p->terms[at->term]);
    ptrdiff_t units = 0;
    int count = 0;
    while (at->term < p->term_count && count < GEMM_SEGMENTS) {
        const diptych_gemm_term *term = &p->terms[at->term];
        const depth d = depth_of(kernels, term->k);
        units += d.units;
        if (diptych_gemm_kernels_for(level, term) != kernels || (count > 0 && units > most)) break;
        count++;
        if (++at->block == d.blocks) *at = (k_block){at->term + 1, 0};
    }
    return count;
}

static schedule schedule_of(
    enum diptych_kernel_level level, const diptych_gemm_plan *plan, const diptych_gemm_product *p, ptrdiff_t width) {
    ptrdiff_t units = 0;
    for (ptrdiff_t t = 0; t < p->term_count; t++) {
        const depth d = depth_of(diptych_gemm_kernels_for(level, &p->terms[t]), p->terms[t].k);
        units += d.blocks * d.units;
    }
    schedule s = {least(units, GEMM_UNITS), GEMM_COLUMNS, 0};
    // All of k at once, for fewer columns, saves a pass over the sums.
    if (units > GEMM_UNITS && units <= 2 * GEMM_UNITS) {
        s.columns = GEMM_UNITS * GEMM_COLUMNS / units / plan->column_step * plan->column_step;
        s.units = units;
    }
    const ptrdiff_t slices = quotient(width, s.columns);
    s.columns = multiple(quotient(width, slices), plan->column_step);
    for (k_block at = {0, 0}; at.term < p->term_count; s.batches++) take_batch(level, p, s.units, &at);
    return s;
}

static void compute_packed(
    enum diptych_kernel_level level, const diptych_gemm_product *p, const diptych_unit *packed,
    const diptych_gemm_part *within) {
    const diptych_gemm_plan plan = diptych_gemm_plan_for(level, p);
    const ptrdiff_t from = within->from, to = within->to;
    const schedule s = schedule_of(level, &plan, p, within->right - within->left);
    const size_t b_size = (size_t)(s.units * s.columns) * sizeof(diptych_unit);
    // Sums of several batches need a float32 buffer when `c` is of another type.
    const int keeps = p->c_type == DIPTYCH_BFLOAT16 && s.batches > 1;
    const size_t sums_size = keeps ? (size_t)((to - from) * s.columns) * sizeof(float) : 0;
    const size_t copies_size = (size_t)(plan.row_step * (s.units + 16 * GEMM_SEGMENTS)) * sizeof(diptych_unit);
    char *space = diptych_thread_buffer(DIPTYCH_BUFFER_WORK, b_size + copies_size + sums_size);
    tile_range w = {.product = p, .from = from, .to = to, .copies = space + b_size};
    for (w.first = within->left; w.first < within->right; w.first = w.last) {
        w.last = least(w.first + s.columns, within->right);
        w.sums = p->c_type == DIPTYCH_BFLOAT16 ? (float *)(w.copies + copies_size)
                                            : (float *)p->c + from * p->c_row + w.first;
        w.sums_row = p->c_type == DIPTYCH_BFLOAT16 ? s.columns : p->c_row;
        const diptych_unit *rows = packed;
        k_block at = {0, 0};
        for (ptrdiff_t batch = 0; batch < s.batches; batch++) {
            const diptych_gemm_kernels *kernels = diptych_gemm_kernels_for(level, &p->terms[at.term]);
            k_block next = at;
            w.segment_count = take_batch(level, p, s.units, &next);
            w.opens = batch == 0;
            w.closes = batch == s.batches - 1;
            diptych_unit *b = (diptych_unit *)space;
            for (int i = 0; i < w.segment_count; i++) {
                const diptych_gemm_term *term = &p->terms[at.term];
                const depth d = depth_of(kernels, term->k);
                const ptrdiff_t start = at.block * d.elements, end = least(start + d.elements, term->k);
                segment *x = &w.segments[i];
                x->units = multiple(quotient(end - start, kernels->pair), kernels->unit_step);
                if (is_direct(p, kernels, term)) {
                    x->a_step = term->a.row * element_size(term->a.type);
                    x->a = (const char *)term->a.data + from * x->a_step + start * element_size(term->a.type);
                    x->copy_step = is_crowded(&term->a) ? d.row * (ptrdiff_t)sizeof(diptych_unit) : 0;
                } else {
                    x->a_step = d.row * (ptrdiff_t)sizeof(diptych_unit);
                    x->a = (const char *)rows + (from - within->block) * x->a_step;
                    x->copy_step = 0;
                    rows += plan.row_block * d.row;
                }
                x->b = b;
                diptych_gemm_pack_columns(kernels, &term->b, w.first, w.last, start, end, x->units, b);
                b += x->units * multiple(w.last - w.first, 2 * kernels->lanes);
                if (++at.block == d.blocks) at = (k_block){at.term + 1, 0};
            }
            multiply_part(&w, kernels);
            if (kernels->end) kernels->end();
        }
    }
}

void diptych_gemm_compute(
    enum diptych_kernel_level level, const diptych_gemm_product *p, const void *packed, const diptych_gemm_part *part) {
    if (part->from >= part->to || part->left >= part->right) return;
    if (level == DIPTYCH_LEVEL_PLAIN) return diptych_gemm_compute_plain(p, part);
    if (diptych_gemm_is_thin(p)) return diptych_gemm_compute_thin(level, p, part);
    compute_packed(level, p, packed, part);
}

void *diptych_gemm_packing_buffer(size_t size) { return diptych_thread_buffer(DIPTYCH_BUFFER_PACKED_ROWS, size); }
