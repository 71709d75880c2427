// Rows of attention's operands: read, normalised, turned and packed; and the way back for their gradients. Part of
// attention_template.h.

/// What a row of an operand is to become.
enum operand { operand_query, operand_key, operand_value, operand_gradient };

/// Elements of a packed row: whole panels.
INLINE ptrdiff_t padded_depth(const attention_problem *p) { return multiple(p->depth, PANEL); }
/// Units along a row that products run over.
INLINE ptrdiff_t depth_units(const attention_problem *p) {
    return multiple(quotient(p->depth, UNIT_ELEMENTS), UNIT_STEP);
}

INLINE int is_query(enum operand which) { return which == operand_query || which == operand_gradient; }

INLINE ptrdiff_t count_of(const attention_stream *s, enum operand which) {
    return is_query(which) ? s->queries : s->keys;
}

INLINE const attention_tokens *tokens_of(const attention_stream *s, enum operand which) {
    switch (which) {
    case operand_query: return &s->q;
    case operand_key: return &s->k;
    case operand_value: return &s->v;
    case operand_gradient: return &s->gradient;
    }
}

/// Null where there are no tokens: zeros.
INLINE const char *row_of(const attention_tokens *t, int type, ptrdiff_t batch, ptrdiff_t head, ptrdiff_t token) {
    if (!t->data) return NULL;
    return (const char *)t->data + (batch * t->batch + token * t->token + head * t->head) * size_of(type);
}

/// Each of LANES / 2 numbers twice, of which `rest` are wanted; zeros behind them.
INLINE floats doubled(const float *from, ptrdiff_t rest) {
    few_floats x;
    if (rest >= LANES) {
        x = *(const few_floats *)from;
    } else {
        floats some;
        load_some(from, gemm_float32, rest / 2, &some);
        memcpy(&x, &some, sizeof x);
    }
#if LANES == 16
    return __builtin_shufflevector(x, x, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7);
#elif LANES == 8
    return __builtin_shufflevector(x, x, 0, 0, 1, 1, 2, 2, 3, 3);
#else
    return __builtin_shufflevector(x, x, 0, 0, 1, 1);
#endif
}

/// Neighbours exchanged.
INLINE floats exchanged(floats x) {
#if LANES == 16
    return __builtin_shufflevector(x, x, 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14);
#elif LANES == 8
    return __builtin_shufflevector(x, x, 1, 0, 3, 2, 5, 4, 7, 6);
#else
    return __builtin_shufflevector(x, x, 1, 0, 3, 2);
#endif
}

/// Pairs (a, b) turned by angles to (a cos - b sin, b cos + a sin), or back where `inverse`.
INLINE floats turned(floats x, const float *cosine, const float *sine, const int inverse, ptrdiff_t i, ptrdiff_t rest) {
    const floats along = doubled(cosine + i / 2, rest), across = exchanged(x) * doubled(sine + i / 2, rest);
#ifdef ALTERNATING_SUM
    return inverse ? ALTERNATING_DIFFERENCE(x, along, across) : ALTERNATING_SUM(x, along, across);
#else
    // The sign of one of each pair.
    units sign = {0};
    for (int lane = inverse; lane < LANES; lane += 2) sign[lane] = 1u << 31;
    return x * along + (floats)((units)across ^ sign);
#endif
}

/// 1 / sqrt(mean + epsilon) of sums of squares.
INLINE floats reciprocal_rms(floats squares, ptrdiff_t depth, float epsilon) {
    return 1.0f / __builtin_elementwise_sqrt(squares / (float)depth + epsilon);
}

/// The first `count` rows, of `depth` elements and `next` bytes apart, of one stream into units, zeros behind their ends.
/// What lies `ahead` bytes behind them will soon be wanted.
INLINE void pack_segment(
    const int is_whole, const char *from, ptrdiff_t next, int type, ptrdiff_t count, ptrdiff_t depth, const float *norm, float epsilon,
    const float *cosine, const float *sine, ptrdiff_t ahead, gemm_unit *to, ptrdiff_t step) {
    for (ptrdiff_t r = 0; r < count; r++)
        for (ptrdiff_t i = 0; i < depth * size_of(type); i += 64)
            __builtin_prefetch(from + r * next + i + ahead, 0, 2);
    float factors[LANES] __attribute__((aligned(64)));
    if (norm) {
        floats squares[LANES];
        for (ptrdiff_t r = 0; r < LANES; r++) {
            squares[r] = (floats){0};
            if (r < count)
                for (ptrdiff_t i = 0; i < depth; i += LANES) {
                    floats x = load(from + r * next + i * size_of(type), type, rest_of(is_whole, depth, i));
                    squares[r] += x * x;
                }
        }
        *(floats *)factors = reciprocal_rms(totals(squares), depth, epsilon);
    }
    for (ptrdiff_t r = 0; r < count; r++)
        for (ptrdiff_t i = 0; i < depth; i += LANES) {
            const ptrdiff_t rest = rest_of(is_whole, depth, i);
            floats x = load(from + r * next + i * size_of(type), type, rest);
            if (norm) x = x * factors[r] * load(norm + i, gemm_float32, rest);
            if (cosine) x = turned(x, cosine + r * (depth / 2), sine + r * (depth / 2), 0, i, rest);
            store_units(x, to + r * step + i / UNIT_ELEMENTS);
        }
}

/// The place in the joint sequence of a row of queries, keys or values: where queries are fewer, they are the last.
INLINE ptrdiff_t place_of(const attention_problem *p, enum operand which, ptrdiff_t row) {
    return which == operand_query ? row + p->keys - p->queries : row;
}

/// Rows `first..<first + LANES` of the joint sequence as units, `step` apart; zeros for those from `end` on.
INLINE void pack_rows_typed(
    const int is_whole, const attention_problem *p, int type, enum operand which, ptrdiff_t batch, ptrdiff_t head, ptrdiff_t first,
    ptrdiff_t end, gemm_unit *to, ptrdiff_t step) {
    const int is_turned = p->cosine && (which == operand_query || which == operand_key);
    ptrdiff_t row = first, begin = 0;
    end = least(end, first + LANES);
    for (ptrdiff_t i = 0; i < p->stream_count && row < end; i++) {
        const attention_stream *s = p->streams + i;
        const attention_tokens *tokens = tokens_of(s, which);
        const ptrdiff_t stop = least(end, begin + count_of(s, which));
        if (row < stop) {
            gemm_unit *units = to + (row - first) * step;
            const char *from = row_of(tokens, type, batch, head, row - begin);
            const ptrdiff_t next = tokens->token * size_of(type), turn = place_of(p, which, row) * (p->depth / 2);
            // Of a short sequence the next head's rows, of a long one the next rows.
            const ptrdiff_t ahead = p->keys * p->depth <= 1 << 14 ? tokens->head * size_of(type) : LANES * next;
            const float *norm = which == operand_query ? s->q_norm : which == operand_key ? s->k_norm : NULL;
            if (!from)
                memset(units, 0, (size_t)((stop - row) * step) * sizeof(gemm_unit));
            else if (norm && is_turned)
                pack_segment(
                    is_whole, from, next, type, stop - row, p->depth, norm, p->epsilon, p->cosine + turn, p->sine + turn,
                    ahead, units, step);
            else if (norm || is_turned)
                pack_segment(
                    is_whole, from, next, type, stop - row, p->depth, norm, p->epsilon, is_turned ? p->cosine + turn : NULL,
                    is_turned ? p->sine + turn : NULL, ahead, units, step);
            else
                pack_segment(
                    is_whole, from, next, type, stop - row, p->depth, NULL, 0, NULL, NULL, ahead, units, step);
            row = stop;
        }
        begin += count_of(s, which);
    }
    if (row < first + LANES)
        memset(to + (row - first) * step, 0, (size_t)((first + LANES - row) * step) * sizeof(gemm_unit));
}

static void pack_rows(
    const attention_problem *p, enum operand which, ptrdiff_t batch, ptrdiff_t head, ptrdiff_t first, ptrdiff_t end,
    gemm_unit *to, ptrdiff_t step) {
    const int is_whole = p->depth % LANES == 0;
#ifndef PAIRS
    if (p->type == gemm_float32) {
        if (is_whole)
            pack_rows_typed(1, p, gemm_float32, which, batch, head, first, end, to, step);
        else
            pack_rows_typed(0, p, gemm_float32, which, batch, head, first, end, to, step);
        return;
    }
#endif
    if (is_whole)
        pack_rows_typed(1, p, gemm_bfloat16, which, batch, head, first, end, to, step);
    else
        pack_rows_typed(0, p, gemm_bfloat16, which, batch, head, first, end, to, step);
}

/// LANES packed rows, `step` apart, as columns: unit u of row r to `to[u * width + r]`.
static void columns_from_rows(
    const gemm_unit *rows, ptrdiff_t step, ptrdiff_t count, gemm_unit *to, ptrdiff_t width) {
    for (ptrdiff_t u = 0; u < count; u += LANES) {
        units x[LANES];
#pragma clang loop unroll(full)
        for (int r = 0; r < LANES; r++) x[r] = *(const loose_units *)(rows + r * step + u);
        transpose(x);
#pragma clang loop unroll(full)
        for (int i = 0; i < LANES; i++)
            if (u + i < count) *(loose_units *)(to + (u + i) * width) = x[i];
    }
}

/// LANES packed rows, `step` apart, as rows `first..<first + LANES` of a register tile's left operand.
INLINE void left_from_rows(const gemm_unit *rows, ptrdiff_t step, ptrdiff_t count, gemm_unit *tile, ptrdiff_t first) {
#ifdef TILE_UNIT
    (void)step;
    memcpy(tile + first * count, rows, (size_t)(LANES * count) * sizeof(gemm_unit));
#else
    columns_from_rows(rows, step, count, tile + first, TILE_STEP);
#endif
}

/// LANES packed rows as a right operand that sums over rows: panels of `capacity` units, from unit `first` on.
static void panels_from_rows(
    const gemm_unit *rows, ptrdiff_t step, ptrdiff_t depth, ptrdiff_t capacity, ptrdiff_t first, gemm_unit *to) {
    for (ptrdiff_t j = 0; j < depth; j += PANEL) {
        gemm_unit *panel = to + j * capacity + first * PANEL;
        for (int r = 0; r < LANES; r += UNIT_ELEMENTS, panel += PANEL)
#pragma clang loop unroll(full)
            for (int half = 0; half < 2; half++) {
#ifdef PAIRS
                const gemm_unit *at = rows + r * step + j / 2 + half * LANES / 2;
                units low = __builtin_convertvector((halves) * (const loose_halves *)at, units);
                units high = __builtin_convertvector((halves) * (const loose_halves *)(at + step), units);
                *(units *)(panel + half * LANES) = low | high << 16;
#else
                *(units *)(panel + half * LANES) = *(const loose_units *)(rows + r * step + j + half * LANES);
#endif
            }
    }
}

/// A finished row of `depth` floats times `factor`, in the problem's type.
INLINE void write_row(const float *row, float factor, ptrdiff_t depth, int type, char *to) {
    ptrdiff_t i = 0;
    for (; i + LANES <= depth; i += LANES)
        store_whole(*(const floats *)(row + i) * factor, to + i * size_of(type), type);
    if (i < depth) store(*(const floats *)(row + i) * factor, to + i * size_of(type), type, depth - i);
}

/// The gradients of at most LANES rows as they were read, `next` bytes apart, from those as they were multiplied, `rows`
/// times `factor`: turned back, then through the norm. `rows` are overwritten; the norm's own gradient is added to
/// `norm_gradient` if it is not null.
INLINE void write_segment(
    const int is_whole, float *rows, ptrdiff_t step, float factor, const char *from, ptrdiff_t next, int type, ptrdiff_t count,
    ptrdiff_t depth, const float *norm, float epsilon, const float *cosine, const float *sine, char *to,
    ptrdiff_t to_next, float *norm_gradient) {
    floats squares[LANES], dots[LANES];
    for (ptrdiff_t r = 0; r < LANES; r++) {
        squares[r] = dots[r] = (floats){0};
        if (r >= count) continue;
        for (ptrdiff_t i = 0; i < depth; i += LANES) {
            const ptrdiff_t rest = rest_of(is_whole, depth, i);
            floats g = *(const floats *)(rows + r * step + i) * factor;
            if (cosine) g = turned(g, cosine + r * (depth / 2), sine + r * (depth / 2), 1, i, rest);
            if (!norm) {
                store(g, to + r * to_next + i * size_of(type), type, rest);
                continue;
            }
            floats x = load(from + r * next + i * size_of(type), type, rest);
            floats scaled = g * load(norm + i, gemm_float32, rest);
            squares[r] += x * x;
            // Zero behind the end, where x is.
            dots[r] += x * scaled;
            *(floats *)(rows + r * step + i) = g;
        }
    }
    if (!norm) return;
    float reciprocals[LANES] __attribute__((aligned(64))), slopes[LANES] __attribute__((aligned(64)));
    const floats reciprocal = reciprocal_rms(totals(squares), depth, epsilon);
    *(floats *)reciprocals = reciprocal;
    *(floats *)slopes = totals(dots) * reciprocal * reciprocal / (float)depth;
    for (ptrdiff_t i = 0; i < depth; i += LANES) {
        const ptrdiff_t rest = rest_of(is_whole, depth, i);
        const floats weight = load(norm + i, gemm_float32, rest);
        floats sum = {0};
        for (ptrdiff_t r = 0; r < count; r++) {
            floats g = *(const floats *)(rows + r * step + i);
            floats x = load(from + r * next + i * size_of(type), type, rest);
            store((g * weight - x * slopes[r]) * reciprocals[r], to + r * to_next + i * size_of(type), type, rest);
            sum += g * x * reciprocals[r];
        }
        if (norm_gradient) *(floats *)(norm_gradient + i) += sum;
    }
}

/// Writes the gradients of rows `first..<end` of the queries or keys, whose gradients as multiplied lie in `rows`, and
/// the share of block `block` of `blocks` in the gradients of the norms. `sums` has room for a row.
static void write_gradients(
    const attention_problem *p, enum operand which, ptrdiff_t batch, ptrdiff_t head, ptrdiff_t first, ptrdiff_t end,
    float *rows, ptrdiff_t block, ptrdiff_t blocks, float *sums) {
    const ptrdiff_t depth = p->depth, step = padded_depth(p), size = size_of(p->type);
    const int is_key = which == operand_key;
    ptrdiff_t begin = 0;
    for (ptrdiff_t i = 0; i < p->stream_count; i++) {
        const attention_stream *s = p->streams + i;
        const attention_tokens *tokens = tokens_of(s, which);
        const ptrdiff_t all = count_of(s, which), stop = least(end, begin + all), next = tokens->token * size;
        const float *norm = is_key ? s->k_norm : s->q_norm;
        float *partial = is_key ? s->dk_norm : s->dq_norm, *sum = partial ? sums : NULL;
        if (partial) memset(sums, 0, (size_t)step * sizeof(float));
        for (ptrdiff_t row = greatest(first, begin); row < stop; row += LANES) {
            const ptrdiff_t token = row - begin, count = least(LANES, stop - row);
            const ptrdiff_t turn = place_of(p, which, row) * (depth / 2);
            const char *from = row_of(tokens, p->type, batch, head, token);
            char *to = (char *)(is_key ? s->dk : s->dq) + ((batch * all + token) * p->heads + head) * depth * size;
            const float *cosine = p->cosine ? p->cosine + turn : NULL, *sine = p->cosine ? p->sine + turn : NULL;
            float *gradient = rows + (row - first) * step;
            const ptrdiff_t to_next = p->heads * depth * size;
#define WRITE(is_whole, type)                                                                                          \
    write_segment(                                                                                                     \
        is_whole, gradient, step, p->scale, from, next, type, count, depth, norm, p->epsilon, cosine, sine, to,        \
        to_next, sum)
            if (p->type == gemm_float32 && depth % LANES == 0)
                WRITE(1, gemm_float32);
            else if (p->type == gemm_float32)
                WRITE(0, gemm_float32);
            else if (depth % LANES == 0)
                WRITE(1, gemm_bfloat16);
            else
                WRITE(0, gemm_bfloat16);
#undef WRITE
        }
        if (partial)
            memcpy(
                partial + ((batch * p->heads + head) * blocks + block) * depth, sums, (size_t)depth * sizeof(float));
        begin += all;
    }
}
