// The layout of a convolution, and how it is split among threads.
#include "layout.h"

/// The widest rows that may be copied for every column of the window.
#define COMPACT_WIDTH 128

/// Whether tiles can read the rows of the weight in place: whole units, and rows that do not all map to one set of the
/// first-level cache.
static int weight_in_place(
    const diptych_gemm_kernels *kernels, const diptych_convolution *p, ptrdiff_t k, int is_bfloat16) {
    const diptych_gemm_matrix *w = &p->weight;
    if (w->column != 1 || w->type != (is_bfloat16 ? DIPTYCH_BFLOAT16 : DIPTYCH_FLOAT32) || k == 0) return 0;
    if (k % (kernels->pair * kernels->unit_step) != 0) return 0;
    return w->row * element_size(w->type) % 4096 != 0;
}

diptych_convolution_layout diptych_convolution_layout_of(
    enum diptych_kernel_level level, const diptych_convolution *p) {
    diptych_convolution_layout l;
    const int is_bfloat16 = p->type == DIPTYCH_BFLOAT16 && p->weight.type == DIPTYCH_BFLOAT16;
    l.kernels = diptych_gemm_kernels_of(level, is_bfloat16);
    l.is_bfloat16 = l.kernels->pair == 2;
    l.k = p->channels * p->kernel_height * p->kernel_width;
    const ptrdiff_t whole = quotient(l.k, l.kernels->pair);
    l.blocks = greatest(1, quotient(whole, GEMM_UNITS));
    l.elements = multiple(greatest(1, quotient(whole, l.blocks)), 16) * l.kernels->pair;
    l.blocks = greatest(1, quotient(l.k, l.elements));
    l.direct = p->kernel_height == 1 && p->kernel_width == 1 && p->stride == 1 && p->top == 0 && p->left == 0
        && p->repeat == 1 && p->spread == 1 && !p->mean
        && p->type == (l.is_bfloat16 ? DIPTYCH_BFLOAT16 : DIPTYCH_FLOAT32)
        && p->out_height <= p->height && p->out_width == p->width && p->row_step == p->width;
    l.weight_in_place = weight_in_place(l.kernels, p, l.k, l.is_bfloat16);
    // Padding is multiplied as other pixels are: where rows are short and outputs many, copies cost less.
    const int is_narrow = p->out_width <= COMPACT_WIDTH && p->outputs >= p->out_width;
    l.compact = p->stride > 1 || (p->kernel_width > 1 && is_narrow);
    l.copies = l.compact ? p->kernel_width : 1;
    l.row = l.direct ? p->row_step : l.compact ? p->out_width : p->out_width + p->kernel_width - 1;
    return l;
}

/// The time of the busiest thread under a plan, in multiplications for each channel: packing a column costs as much as about
/// eight rows of the weight, staging a pixel as much as some multiplications.
static double cost_of(
    const diptych_convolution *p, const diptych_convolution_layout *l, const diptych_convolution_plan *plan,
    ptrdiff_t threads) {
    const ptrdiff_t groups = quotient(p->outputs, l->kernels->rows);
    const ptrdiff_t bands = quotient(p->out_height, plan->band_rows);
    const ptrdiff_t tasks = quotient(p->images, plan->images) * bands * plan->splits;
    const double rows = (double)(quotient(groups, plan->splits) * l->kernels->rows + 8);
    const double columns =
        (double)(plan->images * multiple(column_count(p, l, plan->band_rows), l->kernels->lanes));
    const double staged = l->direct ? 0 : (double)(plan->images * channel_elements(p, l, plan->band_rows));
    const double task = rows * columns * (double)(p->kernel_height * p->kernel_width) + staged * (p->mean ? 48 : 12);
    return (double)quotient(tasks, threads) * task;
}

diptych_convolution_plan diptych_convolution_plan_for(
    enum diptych_kernel_level level, const diptych_convolution *p, ptrdiff_t threads) {
    const diptych_convolution_layout l = diptych_convolution_layout_of(level, p);
    const ptrdiff_t panel = 2 * l.kernels->lanes, height = greatest(1, p->out_height);
    diptych_convolution_plan plan = {.images = 1, .band_rows = height, .splits = 1, .output_step = l.kernels->rows};
    // A band that stays in the caches.
    const ptrdiff_t row_size = greatest(
        1, p->channels * l.copies * l.row * (l.is_bfloat16 ? 2 : 4)), most_staged = 4 << 20;
    const ptrdiff_t fits = (most_staged / row_size - p->kernel_height) / p->stride + 1;
    const ptrdiff_t reach = l.direct ? quotient(4096, p->out_width) : greatest(fits, 4);
    const ptrdiff_t rows = least(height, reach);
    // Images that are small enough to share the columns of a block are taken together.
    const ptrdiff_t span = multiple(column_count(p, &l, height), panel);
    if (rows == height && p->images > 1 && 2 * span <= GEMM_COLUMNS) {
        plan.images = least(p->images, GEMM_COLUMNS / span);
        const ptrdiff_t most_images = most_staged / greatest(1, (ptrdiff_t)stage_bytes(p, &l, 1, height));
        if (!l.direct) plan.images = greatest(1, least(plan.images, most_images));
        plan.images = quotient(p->images, quotient(p->images, plan.images));
    }
    // The division among threads whose largest part is the least.
    const ptrdiff_t groups = quotient(p->outputs, l.kernels->rows), bands = quotient(height, rows);
    const double work = (double)(p->images * height) * (double)(p->out_width * p->outputs) * (double)l.k;
    if (work < (double)threads * (1 << 19)) threads = greatest(1, (ptrdiff_t)(work / (1 << 19)));
    double best = 0;
    for (ptrdiff_t even = 0; even < 2; even++) {
        const ptrdiff_t wished = even ? multiple(bands, threads) : bands;
        diptych_convolution_plan trial = plan;
        trial.band_rows = quotient(height, wished);
        for (trial.splits = 1; trial.splits <= greatest(1, least(groups, 2 * threads)); trial.splits++) {
            const double cost = cost_of(p, &l, &trial, threads);
            if (best > 0 && cost >= best) continue;
            best = cost;
            plan = trial;
        }
        if (threads == 1 || plan.images > 1) break;
    }
    const ptrdiff_t packed_rows = multiple(p->outputs, l.kernels->rows);
    if (!l.weight_in_place) plan.packed_size = (size_t)(l.blocks * packed_rows * PACKED_ROW) * sizeof(diptych_unit);
    plan.space_size = stage_bytes(p, &l, plan.images, plan.band_rows) + channel_bytes(p, &l, plan.band_rows)
        + offsets_bytes(&l) + row_bytes(p) + columns_bytes(&l)
        + (size_t)(packed_rows * GEMM_COLUMNS) * sizeof(float);
    return plan;
}

void diptych_convolution_pack_weight(
    enum diptych_kernel_level level, const diptych_convolution *p, ptrdiff_t from, ptrdiff_t to, void *packed) {
    const diptych_convolution_layout l = diptych_convolution_layout_of(level, p);
    const ptrdiff_t rows = multiple(p->outputs, l.kernels->rows);
    for (ptrdiff_t i = 0; i < l.blocks; i++) {
        const ptrdiff_t start = i * l.elements, end = least(start + l.elements, l.k);
        l.kernels->pack_a(
            &p->weight, from, to - from, start, end, l.elements / l.kernels->pair,
            (diptych_unit *)packed + (i * rows + from) * PACKED_ROW, PACKED_ROW);
    }
}

