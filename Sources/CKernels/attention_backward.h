// The gradient of attention. Part of attention_template.h.
//
// For each tile of keys and each block of queries: weights p = 2^(s - log-sum-exp), ds = p (do v^T - sum(do o)), then
// dv += p^T do, dk += ds^T q, dq += ds k. Blocks of queries and tiles of keys are the same for all shares, and so is the
// order of every sum.

enum {
    /// Units of a block's rows as they are packed, and as scores.
    block_units = (attention_rows + ROW_STEP - 1) / ROW_STEP * ROW_STEP / UNIT_ELEMENTS,
#ifdef TILE_UNIT
    row_units = block_units,
#else
    row_units = attention_rows / UNIT_ELEMENTS,
#endif
    key_units = attention_keys / UNIT_ELEMENTS,
    block_tiles = (attention_rows + TILE_ROWS - 1) / TILE_ROWS,
};

/// The pieces of a share.
typedef struct {
    /// By blocks of queries: queries and gradients by tiles, and by rows; turned over for the matrix unit, `[depth][units]`.
    gemm_unit *queries, *gradients, *query_rows, *gradient_rows;
    /// For each row: the logarithm of the sum of weights, in units of log2(e), and the sum of do o.
    float *log_sum, *slope;
    float *dq;
    /// A tile of keys by columns and by rows, and of values by columns.
    gemm_unit *keys, *key_rows, *values;
    float *dk, *dv;
    /// A block's weights and their gradients: scores as rows, for `multiply_rows`, and as columns.
    gemm_unit *row_scores, *column_scores, *column_weights;
    /// Where units are of another kind than scores: a register tile of both.
    float *scores, *slopes;
    gemm_unit *rows;
    /// For the matrix unit: a block's rows before they are turned over, and the gradients of keys or values after it.
    gemm_unit *panels;
    float *key_gradients;
    float *line;
} backward_memory_of;

static size_t lay_out_backward(const attention_problem *p, ptrdiff_t blocks, void *memory, backward_memory_of *m) {
    const ptrdiff_t depth = padded_depth(p), units = depth_units(p);
    pieces all = {memory, 0};
    m->queries = piece(&all, blocks * block_tiles * units * TILE_STEP);
    m->gradients = piece(&all, blocks * block_tiles * units * TILE_STEP);
    m->query_rows = piece(&all, blocks * block_units * depth);
    m->gradient_rows = piece(&all, blocks * block_units * depth);
    m->log_sum = piece(&all, blocks * attention_rows);
    m->slope = piece(&all, blocks * attention_rows + LANES);
    m->dq = piece(&all, blocks * attention_rows * depth);
    m->keys = piece(&all, units * attention_keys);
    m->key_rows = piece(&all, key_units * depth);
    m->values = piece(&all, units * attention_keys);
    m->dk = piece(&all, attention_keys * depth);
    m->dv = piece(&all, attention_keys * depth);
    m->row_scores = piece(&all, attention_rows * score_step);
#ifdef PAIRS
    m->column_scores = piece(&all, row_units * attention_keys);
    m->column_weights = piece(&all, row_units * attention_keys);
    m->scores = piece(&all, TILE_ROWS * attention_step);
    m->slopes = piece(&all, TILE_ROWS * attention_step);
#else
    m->column_scores = m->row_scores;
    m->column_weights = piece(&all, attention_rows * attention_step);
    m->scores = (float *)m->column_weights;
    m->slopes = (float *)m->row_scores;
#endif
    m->rows = piece(&all, LANES * depth / UNIT_ELEMENTS);
    m->line = piece(&all, depth);
#ifdef TILE_UNIT
    m->panels = piece(&all, block_units * depth);
    m->key_gradients = piece(&all, attention_keys * depth);
#endif
    return all.size;
}

static size_t backward_memory(const attention_problem *p, ptrdiff_t blocks) {
    backward_memory_of m;
    return lay_out_backward(p, blocks, NULL, &m);
}

/// The sums of do o of at most LANES rows of one stream.
INLINE floats products_of_rows(
    const int is_whole, int type, const char *gradient, ptrdiff_t next, const char *output, ptrdiff_t output_next,
    ptrdiff_t count, ptrdiff_t depth) {
    floats sums[LANES];
    for (ptrdiff_t r = 0; r < LANES; r++) {
        sums[r] = (floats){0};
        if (r >= count) continue;
        // The next head's.
        __builtin_prefetch(output + r * output_next + depth * size_of(type), 0, 2);
        for (ptrdiff_t i = 0; i < depth; i += LANES)
            sums[r] += load(gradient + r * next + i * size_of(type), type, rest_of(is_whole, depth, i))
                * load(output + r * output_next + i * size_of(type), type, rest_of(is_whole, depth, i));
    }
    return totals(sums);
}

/// The sum of do o of each row of a block; `sums` has room for LANES more.
static void sum_products(
    const attention_problem *p, ptrdiff_t batch, ptrdiff_t head, ptrdiff_t first, ptrdiff_t end, float *sums) {
    const ptrdiff_t depth = p->depth, size = size_of(p->type), output_next = p->heads * depth * size;
    ptrdiff_t begin = 0;
    for (ptrdiff_t i = 0; i < p->stream_count; i++) {
        const attention_stream *s = p->streams + i;
        const ptrdiff_t stop = least(end, begin + s->queries), next = s->gradient.token * size;
        for (ptrdiff_t row = greatest(first, begin); row < stop; row += LANES) {
            const char *gradient = row_of(&s->gradient, p->type, batch, head, row - begin);
            const char *output =
                (const char *)s->output + ((batch * s->queries + row - begin) * p->heads + head) * depth * size;
            const ptrdiff_t count = least(LANES, stop - row);
            floats found = {0};
            if (gradient && p->type == gemm_float32)
                found = depth % LANES == 0
                    ? products_of_rows(1, gemm_float32, gradient, next, output, output_next, count, depth)
                    : products_of_rows(0, gemm_float32, gradient, next, output, output_next, count, depth);
            else if (gradient)
                found = depth % LANES == 0
                    ? products_of_rows(1, gemm_bfloat16, gradient, next, output, output_next, count, depth)
                    : products_of_rows(0, gemm_bfloat16, gradient, next, output, output_next, count, depth);
            *(loose_floats *)(sums + row - first) = found;
        }
        begin += s->queries;
    }
}

/// Packs the queries and gradients of one block.
static void pack_block(
    const attention_problem *p, ptrdiff_t batch, ptrdiff_t head, ptrdiff_t block, ptrdiff_t place,
    const backward_memory_of *m) {
    const ptrdiff_t depth = padded_depth(p), units = depth_units(p), step = depth / UNIT_ELEMENTS;
    ptrdiff_t from, end;
    query_block(p->queries, block, &from, &end);
    const ptrdiff_t rows = end - from, tiles = quotient(rows, TILE_ROWS);
    for (int pass = 0; pass < 2; pass++) {
        const enum operand which = pass == 0 ? operand_query : operand_gradient;
        gemm_unit *by_tiles =
            (pass == 0 ? m->queries : m->gradients) + place * block_tiles * units * TILE_STEP;
        gemm_unit *target = (pass == 0 ? m->query_rows : m->gradient_rows) + place * block_units * depth;
#ifdef TILE_UNIT
        gemm_unit *by_rows = m->panels;
        memset(by_rows, 0, (size_t)(block_units * depth) * sizeof(gemm_unit));
#else
        gemm_unit *by_rows = target;
#endif
        for (ptrdiff_t t = 0; t < tiles; t++) {
            ptrdiff_t first;
            const int height = tile_height(rows, tiles, t, &first);
            for (ptrdiff_t g = 0; g < height; g += LANES) {
                pack_rows(
                    p, which, batch, head, from + first + g, least(end, from + first + height), m->rows, step);
                left_from_rows(m->rows, step, units, by_tiles + t * units * TILE_STEP, g);
                // Rows of zeros behind a tile are overwritten by the next one.
                panels_from_rows(m->rows, step, p->depth, block_units, (first + g) / UNIT_ELEMENTS, by_rows);
            }
        }
#ifdef TILE_UNIT
        for (ptrdiff_t i = 0; i < depth; i += LANES)
            for (ptrdiff_t u = 0; u < block_units; u += LANES)
                columns_from_rows(
                    by_rows + i / PANEL * PANEL * block_units + u * PANEL + i % PANEL, PANEL, LANES,
                    target + i * block_units + u, block_units);
#endif
    }
    float *log_sum = m->log_sum + place * attention_rows, *slope = m->slope + place * attention_rows;
    sum_products(p, batch, head, from, end, slope);
    const float *sums = p->log_sum_exp + (batch * p->heads + head) * p->queries;
    for (ptrdiff_t r = 0; r < rows; r++) {
        // Rows without a key, and the one that fills up a pair, have no weights.
        const float sum = sums[from + r];
        log_sum[r] = sum == -INFINITY ? INFINITY : sum * log2_e;
    }
    if (rows % 2) {
        log_sum[rows] = INFINITY;
        slope[rows] = 0;
    }
}

/// From scores and `do v^T` to weights and gradients of the scores, for two rows.
INLINE void weigh_pair(
    const backward_memory_of *m, ptrdiff_t r, ptrdiff_t at, ptrdiff_t padded, const float *log_sum,
    const float *slope) {
#ifdef PAIRS
    const float *s = m->scores + r * attention_step, *g = m->slopes + r * attention_step;
    gemm_unit *row = m->row_scores + at * score_step;
    gemm_unit *columns = m->column_scores + at / 2 * attention_keys;
    gemm_unit *weights = m->column_weights + at / 2 * attention_keys;
    // Puts the sixteen numbers of both halves side by side.
    const units low = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    const __m512i pairs = (__m512i)(low | (low + 16) << 16);
    for (ptrdiff_t j = 0; j < padded; j += LANES) {
        floats p0 = power_of_two(*(const floats *)(s + j) - log_sum[0]);
        floats p1 = power_of_two(*(const floats *)(s + attention_step + j) - log_sum[1]);
        floats d0 = p0 * (*(const floats *)(g + j) - slope[0]);
        floats d1 = p1 * (*(const floats *)(g + attention_step + j) - slope[1]);
        __m512i p = (__m512i)_mm512_cvtne2ps_pbh((__m512)p1, (__m512)p0);
        __m512i d = (__m512i)_mm512_cvtne2ps_pbh((__m512)d1, (__m512)d0);
        *(units *)(weights + j) = (units)_mm512_permutexvar_epi16(pairs, p);
        *(units *)(columns + j) = (units)_mm512_permutexvar_epi16(pairs, d);
        _mm256_storeu_si256((__m256i *)(row + j / 2), _mm512_castsi512_si256(d));
        _mm256_storeu_si256((__m256i *)(row + score_step + j / 2), _mm512_extracti64x4_epi64(d, 1));
    }
#else
    (void)at;
    for (int i = 0; i < 2; i++) {
        float *s = m->scores + (at + i) * attention_step, *g = m->slopes + (at + i) * attention_step;
        for (ptrdiff_t j = 0; j < padded; j += LANES) {
            floats w = power_of_two(*(const floats *)(s + j) - log_sum[i]);
            *(floats *)(g + j) = w * (*(const floats *)(g + j) - slope[i]);
            *(floats *)(s + j) = w;
        }
    }
    (void)r;
#endif
}

#ifdef TILE_UNIT
/// Sums over a block's `pairs` pairs of queries, turned over because columns of scores lie as a right operand does:
/// `c = a b`, `[depth][keys]`, of queries or gradients `a` and scores `b`, added where `adds`.
static void add_turned(
    const attention_problem *p, ptrdiff_t pairs, ptrdiff_t keys, const gemm_unit *a, gemm_unit *b, float *c, int adds) {
    const ptrdiff_t depth = multiple(p->depth, LANES), count = multiple(pairs, UNIT_STEP);
    memset(b + pairs * attention_keys, 0, (size_t)((count - pairs) * attention_keys) * sizeof(gemm_unit));
    for (ptrdiff_t i = 0; i < depth; i += TILE_ROWS)
        for (ptrdiff_t j = 0; j < keys; j += PANEL) {
            float *to = c + i * attention_keys + j;
            multiply_tiles(
                (int)least(TILE_ROWS, depth - i), 0, count, a + i * block_units, block_units * 4, b + j, attention_keys,
                to, attention_keys, 1, adds ? to : NULL, attention_keys, NULL);
        }
}
#endif

/// Gradients of keys or values by rows, until the next call.
static float *key_rows_of(const attention_problem *p, const backward_memory_of *m, float *gradients) {
#ifdef TILE_UNIT
    const ptrdiff_t depth = padded_depth(p);
    for (ptrdiff_t i = 0; i < p->depth; i += LANES)
        columns_from_rows(
            (const gemm_unit *)gradients + i * attention_keys, attention_keys, attention_keys,
            (gemm_unit *)m->key_gradients + i, depth);
    return m->key_gradients;
#else
    (void)p;
    (void)m;
    return gradients;
#endif
}

/// Adds one block of queries and one tile of keys `key..<key + count` to the gradients.
static void add_block(
    const attention_problem *p, ptrdiff_t batch, ptrdiff_t head, ptrdiff_t block, ptrdiff_t place, ptrdiff_t key,
    ptrdiff_t count, int adds_queries, int adds_keys, int wants_queries, int wants_keys,
    const backward_memory_of *m) {
    const ptrdiff_t depth = padded_depth(p), units = depth_units(p), padded = multiple(count, ROW_STEP);
    ptrdiff_t from, end;
    query_block(p->queries, block, &from, &end);
    const ptrdiff_t rows = end - from, tiles = quotient(rows, TILE_ROWS);
    const float *log_sum = m->log_sum + place * attention_rows, *slope = m->slope + place * attention_rows;
    for (ptrdiff_t t = 0; t < tiles; t++) {
        ptrdiff_t first;
        const int height = tile_height(rows, tiles, t, &first);
        const ptrdiff_t tile = (place * block_tiles + t) * units * TILE_STEP;
        // Pairs have their scores in a register tile's memory, single numbers in the block's.
        const ptrdiff_t at = UNIT_ELEMENTS == 2 ? 0 : first * attention_step;
        multiply_columns(
            height, padded, units, m->queries + tile, TILE_STEP, m->keys, units, m->scores + at, attention_step,
            p->scale * log2_e, 0);
        multiply_columns(
            height, padded, units, m->gradients + tile, TILE_STEP, m->values, units, m->slopes + at, attention_step, 1,
            0);
        for (ptrdiff_t r = 0; r < height; r += 2) {
            if (p->bias || p->causal || count < padded)
                for (ptrdiff_t i = r; i < r + 2; i++)
                    mask_scores(
                        p, batch, head, least(from + first + i, end - 1), key, count, padded,
                        m->scores + at + i * attention_step);
            weigh_pair(m, r, first + r, padded, log_sum + first + r, slope + first + r);
        }
    }
    const ptrdiff_t pairs = multiple(rows, 2) / UNIT_ELEMENTS;
    if (wants_queries)
        for (ptrdiff_t t = 0; t < tiles; t++) {
            ptrdiff_t first;
            const int height = tile_height(rows, tiles, t, &first);
            multiply_rows(
                height, p->depth, padded / UNIT_ELEMENTS, m->row_scores + first * score_step, m->key_rows, key_units,
                m->dq + (place * attention_rows + first) * depth, depth, adds_queries);
        }
    if (!wants_keys) return;
#ifdef TILE_UNIT
    add_turned(p, pairs, padded, m->gradient_rows + place * block_units * depth, m->column_weights, m->dv, adds_keys);
    add_turned(p, pairs, padded, m->query_rows + place * block_units * depth, m->column_scores, m->dk, adds_keys);
#else
    const ptrdiff_t key_tiles = quotient(padded, TILE_ROWS);
    const ptrdiff_t step = UNIT_ELEMENTS == 2 ? attention_keys : attention_step;
    for (ptrdiff_t t = 0; t < key_tiles; t++) {
        ptrdiff_t first;
        const int height = tile_height(padded, key_tiles, t, &first);
        multiply_columns(
            height, p->depth, pairs, m->column_weights + first, step, m->gradient_rows + place * block_units * depth,
            block_units, m->dv + first * depth, depth, 1, adds_keys);
        multiply_columns(
            height, p->depth, pairs, m->column_scores + first, step, m->query_rows + place * block_units * depth,
            block_units, m->dk + first * depth, depth, 1, adds_keys);
    }
#endif
}

/// Writes the gradients of a tile of values.
static void write_values(
    const attention_problem *p, ptrdiff_t batch, ptrdiff_t head, ptrdiff_t first, ptrdiff_t end, const float *rows) {
    ptrdiff_t begin = 0;
    for (ptrdiff_t i = 0; i < p->stream_count; i++) {
        const attention_stream *s = p->streams + i;
        for (ptrdiff_t row = greatest(first, begin); row < least(end, begin + s->keys); row++)
            write_row(
                rows + (row - first) * padded_depth(p), 1, p->depth, p->type,
                (char *)s->dv + ((batch * s->keys + row - begin) * p->heads + head) * p->depth * size_of(p->type));
        begin += s->keys;
    }
}

static void backward(
    const attention_problem *p, const attention_part *part, int wants_queries, int wants_keys, void *memory) {
    const ptrdiff_t batch = part->batch, head = part->head, depth = padded_depth(p), units = depth_units(p);
    const ptrdiff_t blocks = part->last_row - part->first_row, step = depth / UNIT_ELEMENTS;
    backward_memory_of m;
    lay_out_backward(p, blocks, memory, &m);
    if (UNIT_STEP > 1) memset(m.rows, 0, (size_t)(LANES * step) * sizeof(gemm_unit));
    for (ptrdiff_t b = 0; b < blocks; b++) pack_block(p, batch, head, part->first_row + b, b, &m);
    if (wants_queries && part->first_key_block == part->last_key_block)
        memset(m.dq, 0, (size_t)(blocks * attention_rows * depth) * sizeof(float));
    for (ptrdiff_t k = part->first_key_block; k < part->last_key_block; k++) {
        const ptrdiff_t key = k * attention_keys, count = least(attention_keys, p->keys - key);
        for (ptrdiff_t j = 0; j < multiple(count, ROW_STEP); j += LANES) {
            gemm_unit *at = m.rows;
            pack_rows(p, operand_key, batch, head, key + j, key + count, at, step);
            columns_from_rows(at, step, units, m.keys + j / PANEL * PANEL * units + j % PANEL, PANEL);
            panels_from_rows(at, step, p->depth, key_units, j / UNIT_ELEMENTS, m.key_rows);
            pack_rows(p, operand_value, batch, head, key + j, key + count, at, step);
            columns_from_rows(at, step, units, m.values + j / PANEL * PANEL * units + j % PANEL, PANEL);
        }
        int adds_keys = 0;
        for (ptrdiff_t b = 0; b < blocks; b++) {
            ptrdiff_t from, end;
            query_block(p->queries, part->first_row + b, &from, &end);
            if (p->causal && end <= key) continue;
            add_block(
                p, batch, head, part->first_row + b, b, key, count, k > 0, adds_keys, wants_queries, wants_keys, &m);
            adds_keys = 1;
        }
        if (!wants_keys) continue;
        if (!adds_keys) {
            memset(m.dk, 0, (size_t)(attention_keys * depth) * sizeof(float));
            memset(m.dv, 0, (size_t)(attention_keys * depth) * sizeof(float));
        }
        write_values(p, batch, head, key, key + count, key_rows_of(p, &m, m.dv));
        write_gradients(
            p, operand_key, batch, head, key, key + count, key_rows_of(p, &m, m.dk), k, attention_key_blocks(p->keys),
            m.line);
    }
#ifdef TILE_UNIT
    release_tiles();
#endif
    if (!wants_queries) return;
    for (ptrdiff_t b = 0; b < blocks; b++) {
        ptrdiff_t from, end;
        query_block(p->queries, part->first_row + b, &from, &end);
        write_gradients(
            p, operand_query, batch, head, from, end, m.dq + b * attention_rows * depth, part->first_row + b,
            attention_query_blocks(p->queries), m.line);
    }
}
