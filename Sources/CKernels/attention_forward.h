// Attention forwards. Part of attention_template.h.

static const float log2_e = 1.44269504088896341f, ln_2 = 0.693147180559945309f;

/// Cuts pieces off a share's working memory; without memory it counts them.
typedef struct {
    char *next;
    size_t size;
} pieces;

INLINE void *piece(pieces *memory, ptrdiff_t units) {
    const size_t size = ((size_t)units * 4 + 63) / 64 * 64;
    char *at = memory->next ? memory->next + memory->size : NULL;
    memory->size += size;
    return at;
}

/// Scores of one query with `count` keys from `first` on: adds the bias and hides what causality or the keys' end hide, up
/// to `padded`. All is in units of log2(e).
static void mask_scores(
    const attention_problem *p, ptrdiff_t batch, ptrdiff_t head, ptrdiff_t row, ptrdiff_t first, ptrdiff_t count,
    ptrdiff_t padded, float *s) {
    if (p->bias) {
        const float *bias =
            p->bias + batch * p->bias_batch + head * p->bias_head + row * p->bias_row + first * p->bias_column;
        ptrdiff_t j = 0;
        if (p->bias_column == 1)
            for (; j + LANES <= count; j += LANES)
                *(loose_floats *)(s + j) += *(const loose_floats *)(bias + j) * log2_e;
        for (; j < count; j++) s[j] += bias[j * p->bias_column] * log2_e;
    }
    ptrdiff_t visible = p->causal ? least(count, row + 1 - first) : count;
    for (ptrdiff_t j = visible > 0 ? visible : 0; j < padded; j++) s[j] = -INFINITY;
}

/// The pieces of a share forwards.
typedef struct {
    /// Queries by tiles, `[tile][depth units][TILE_STEP]`.
    gemm_unit *queries;
    /// The outputs so far, `[tile][TILE_ROWS][padded depth]`.
    float *output;
    /// For each row `[tile][TILE_STEP]`: its largest score, its sum of weights, and by what its output is to be multiplied.
    float *most, *sum, *factor;
    /// A tile of keys, by columns, and of values, by rows.
    gemm_unit *keys, *values;
    /// A register tile's rows of scores and, where they are units of another kind, weights.
    float *scores;
    gemm_unit *weights, *rows;
} forward_memory_of;

static size_t lay_out_forward(const attention_problem *p, ptrdiff_t rows, void *memory, forward_memory_of *m) {
    const ptrdiff_t tiles = quotient(rows, TILE_ROWS), depth = padded_depth(p);
    pieces all = {memory, 0};
    m->queries = piece(&all, tiles * depth_units(p) * TILE_STEP);
    m->output = piece(&all, tiles * TILE_ROWS * depth);
    m->most = piece(&all, tiles * TILE_STEP);
    m->sum = piece(&all, tiles * TILE_STEP);
    m->factor = piece(&all, tiles * TILE_STEP);
    m->keys = piece(&all, depth_units(p) * multiple(attention_keys, PANEL));
    m->values = piece(&all, depth * quotient(attention_keys, UNIT_ELEMENTS));
    m->scores = piece(&all, TILE_ROWS * attention_step);
    m->weights = UNIT_ELEMENTS == 1 ? (gemm_unit *)m->scores : piece(&all, TILE_ROWS * score_step);
    m->rows = piece(&all, LANES * depth / UNIT_ELEMENTS);
    return all.size;
}

static size_t forward_memory(const attention_problem *p, ptrdiff_t rows) {
    forward_memory_of m;
    return lay_out_forward(p, rows, NULL, &m);
}

/// The weights of a tile of queries for a tile of keys; `factor` becomes by what the sums so far shrink.
INLINE void soften(
    const float *scores, ptrdiff_t height, ptrdiff_t padded, float *most, float *sum, float *factor,
    gemm_unit *weights) {
    for (ptrdiff_t g = 0; g < height; g += LANES) {
        floats parts[LANES];
        for (ptrdiff_t r = 0; r < LANES; r++) {
            parts[r] = splat(-INFINITY);
            if (g + r < height)
                for (ptrdiff_t j = 0; j < padded; j += LANES)
                    parts[r] = larger(parts[r], *(const floats *)(scores + (g + r) * attention_step + j));
        }
        const floats before = *(const floats *)(most + g), now = larger(before, maxima(parts));
        // Where no key is visible yet, any finite shift gives zeros.
        const floats shift = pick(now == -INFINITY, splat(0), now);
        float shifts[LANES] __attribute__((aligned(64)));
        *(floats *)shifts = shift;
        for (ptrdiff_t r = 0; r < LANES; r++) {
            parts[r] = (floats){0};
            if (g + r < height)
                for (ptrdiff_t j = 0; j < padded; j += LANES) {
                    floats e = power_of_two(*(const floats *)(scores + (g + r) * attention_step + j) - shifts[r]);
                    parts[r] += e;
                    store_units(e, weights + (g + r) * score_step + j / UNIT_ELEMENTS);
                }
        }
        const floats shrinks = power_of_two(before - shift);
        *(floats *)(factor + g) = shrinks;
        *(floats *)(sum + g) = *(const floats *)(sum + g) * shrinks + totals(parts);
        *(floats *)(most + g) = now;
    }
}

static void forward(const attention_problem *p, const attention_part *part, void *memory) {
    const ptrdiff_t rows = part->last_row - part->first_row, tiles = quotient(rows, TILE_ROWS);
    const ptrdiff_t depth = padded_depth(p), units = depth_units(p), row_units = depth / UNIT_ELEMENTS;
    const ptrdiff_t batch = part->batch, head = part->head;
    forward_memory_of m;
    lay_out_forward(p, rows, memory, &m);
    // What lies behind the elements of a packed row is multiplied too, where products run over multiples of units.
    if (UNIT_STEP > 1) memset(m.rows, 0, (size_t)(LANES * row_units) * sizeof(gemm_unit));
    for (ptrdiff_t t = 0; t < tiles; t++) {
        ptrdiff_t first;
        const int height = tile_height(rows, tiles, t, &first);
        for (ptrdiff_t g = 0; g < height; g += LANES) {
            pack_rows(
                p, operand_query, batch, head, part->first_row + first + g,
                part->first_row + least(rows, first + height), m.rows, row_units);
            left_from_rows(m.rows, row_units, units, m.queries + t * units * TILE_STEP, g);
        }
    }
    for (ptrdiff_t i = 0; i < tiles * TILE_STEP; i++) {
        m.most[i] = -INFINITY;
        m.sum[i] = 0;
    }
    if (p->keys == 0) memset(m.output, 0, (size_t)(tiles * TILE_ROWS * depth) * sizeof(float));
    for (ptrdiff_t key = 0; key < p->keys; key += attention_keys) {
        if (p->causal && key >= part->last_row) break;
        const ptrdiff_t count = least(attention_keys, p->keys - key), padded = multiple(count, ROW_STEP);
        for (ptrdiff_t j = 0; j < padded; j += LANES) {
            pack_rows(p, operand_key, batch, head, key + j, key + count, m.rows, row_units);
            columns_from_rows(m.rows, row_units, units, m.keys + j / PANEL * PANEL * units + j % PANEL, PANEL);
            pack_rows(p, operand_value, batch, head, key + j, key + count, m.rows, row_units);
            panels_from_rows(
                m.rows, row_units, p->depth, attention_keys / UNIT_ELEMENTS, j / UNIT_ELEMENTS, m.values);
        }
        for (ptrdiff_t t = 0; t < tiles; t++) {
            ptrdiff_t first;
            const int height = tile_height(rows, tiles, t, &first);
            float *output = m.output + t * TILE_ROWS * depth;
            multiply_columns(
                height, padded, units, m.queries + t * units * TILE_STEP, TILE_STEP, m.keys, units, m.scores,
                attention_step, p->scale * log2_e, 0);
            // The row that fills up a pair is computed along and never written.
            if (p->bias || p->causal || count < padded)
                for (ptrdiff_t r = 0; r < least(height, rows - first); r++)
                    mask_scores(
                        p, batch, head, part->first_row + first + r, key, count, padded, m.scores + r * attention_step);
            float *factor = m.factor + t * TILE_STEP;
            soften(m.scores, height, padded, m.most + t * TILE_STEP, m.sum + t * TILE_STEP, factor, m.weights);
            if (key > 0)
                for (ptrdiff_t r = 0; r < height; r++)
                    if (factor[r] != 1)
                        for (ptrdiff_t j = 0; j < depth; j += LANES) *(floats *)(output + r * depth + j) *= factor[r];
            multiply_rows(
                height, p->depth, padded / UNIT_ELEMENTS, m.weights, m.values, attention_keys / UNIT_ELEMENTS, output,
                depth, key > 0);
        }
    }
#ifdef TILE_UNIT
    release_tiles();
#endif
    for (ptrdiff_t i = 0; i < tiles * TILE_STEP; i += LANES) {
        const floats sum = *(const floats *)(m.sum + i);
        *(floats *)(m.factor + i) = pick(sum == 0, splat(0), 1 / sum);
    }
    ptrdiff_t begin = 0, tile = 0, first = 0, height = rows > 0 ? tile_height(rows, tiles, 0, &first) : 0;
    for (ptrdiff_t i = 0; i < p->stream_count; i++) {
        const attention_stream *s = p->streams + i;
        for (ptrdiff_t row = greatest(part->first_row, begin); row < least(part->last_row, begin + s->queries); row++) {
            if (row - part->first_row >= first + height) height = tile_height(rows, tiles, ++tile, &first);
            const ptrdiff_t r = row - part->first_row - first, at = tile * TILE_STEP + r;
            write_row(
                m.output + (tile * TILE_ROWS + r) * depth, m.factor[at], p->depth, p->type,
                (char *)s->output
                    + ((batch * s->queries + row - begin) * p->heads + head) * p->depth * size_of(p->type));
            p->log_sum_exp[(batch * p->heads + head) * p->queries + row] =
                m.sum[at] == 0 ? -INFINITY : m.most[at] * ln_2 + logf(m.sum[at]);
        }
        begin += s->queries;
    }
}
