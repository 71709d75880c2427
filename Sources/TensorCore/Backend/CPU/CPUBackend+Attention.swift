import CKernels

extension CPUBackend {
    /// See ``Backend/rotary(_:cosine:sine:inverse:)``.
    public func rotary(_ x: Tensor, cosine: Tensor, sine: Tensor, inverse: Bool) -> Tensor {
        let source = float32(x)
        let result = Tensor(uninitialized: x.shape)
        let (c, s) = (float32(cosine), float32(sine))
        let (from, to, cosines, sines) = (floats(source), floats(result), floats(c), floats(s))
        let (sequence, heads, depth) = (x.shape[1], x.shape[2], x.shape[3])
        let half = depth / 2
        let sign: Float = inverse ? -1 : 1
        forEachRow(of: x) { row in
            let place = row / heads % sequence
            let (a, b) = (from + row * depth, to + row * depth)
            diptych_rotary(a, cosines + place * half, sines + place * half, sign, b, half)
        }
        return rounded(result, to: x.dtype)
    }

    /// See ``Backend/attention(_:_:_:options:)``. One head at a time, its whole matrix of weights in memory.
    public func attention(_ q: Tensor, _ k: Tensor, _ v: Tensor, options: AttentionOptions) -> AttentionResult {
        let heads = AttentionHeads(q: float32(q), k: float32(k), v: float32(v), options: options, backend: self)
        let output = Tensor(uninitialized: q.shape)
        let denominators = Tensor(uninitialized: [heads.batch, heads.count, heads.rows])
        let (to, logs) = (floats(output), floats(denominators))
        parallelFor(heads.batch * heads.count, grain: 1) { part in
            let weights = Tensor(uninitialized: [heads.rows, heads.columns])
            let p = floats(weights)
            for head in part {
                heads.scores(head, into: p)
                for row in 0..<heads.rows {
                    let line = p + row * heads.columns
                    logs[head * heads.rows + row] = diptych_softmax(line, line, heads.columns)
                }
                multiply(
                    MatrixView(pointer: p, leading: heads.columns, isTransposed: false), heads.values(head),
                    into: to + heads.offset(head, heads.rows), leading: heads.step, m: heads.rows, k: heads.columns,
                    n: heads.depth)
            }
        }
        return AttentionResult(output: rounded(output, to: q.dtype), logSumExp: denominators)
    }

    /// See ``Backend/attentionGradient(_:_:_:options:result:gradient:)``. The weights are computed again.
    public func attentionGradient(
        _ q: Tensor, _ k: Tensor, _ v: Tensor, options: AttentionOptions, result: AttentionResult, gradient: Tensor
    ) -> (q: Tensor, k: Tensor, v: Tensor) {
        let heads = AttentionHeads(q: float32(q), k: float32(k), v: float32(v), options: options, backend: self)
        let (out, dout) = (float32(result.output), float32(gradient))
        let (dq, dk, dv) = (
            Tensor(uninitialized: q.shape), Tensor(uninitialized: k.shape), Tensor(uninitialized: v.shape)
        )
        let (rows, columns, depth, step) = (heads.rows, heads.columns, heads.depth, heads.step)
        let (o, g, logs) = (floats(out), floats(dout), floats(result.logSumExp))
        let (toQ, toK, toV) = (floats(dq), floats(dk), floats(dv))
        parallelFor(heads.batch * heads.count, grain: 1) { part in
            let weights = Tensor(uninitialized: [rows, columns])
            let slopes = Tensor(uninitialized: [rows, columns])
            let (p, ds) = (floats(weights), floats(slopes))
            for head in part {
                let (atQ, atK) = (heads.offset(head, rows), heads.offset(head, columns))
                let upstream = MatrixView(pointer: g + atQ, leading: step, isTransposed: false)
                heads.scores(head, into: p)
                for row in 0..<rows {
                    let denominator = logs[head * rows + row]
                    let line = p + row * columns
                    if denominator == -.infinity {
                        line.update(repeating: 0, count: columns)
                    } else {
                        diptych_exponential_of_difference(line, denominator, line, columns)
                    }
                }
                multiply(
                    MatrixView(pointer: p, leading: columns, isTransposed: true), upstream, into: toV + atK,
                    leading: step, m: columns, k: rows, n: depth)
                var values = heads.values(head)
                values.isTransposed = true
                multiply(upstream, values, into: ds, leading: columns, m: rows, k: depth, n: columns)
                for row in 0..<rows {
                    let dot = diptych_dot(g + atQ + row * step, o + atQ + row * step, depth)
                    let line = ds + row * columns
                    diptych_softmax_gradient(p + row * columns, line, Float(dot), line, columns)
                }
                multiply(
                    MatrixView(pointer: ds, leading: columns, isTransposed: false), heads.keys(head), into: toQ + atQ,
                    leading: step, m: rows, k: columns, n: depth, alpha: options.scale)
                multiply(
                    MatrixView(pointer: ds, leading: columns, isTransposed: true), heads.queries(head), into: toK + atK,
                    leading: step, m: columns, k: rows, n: depth, alpha: options.scale)
            }
        }
        return (rounded(dq, to: q.dtype), rounded(dk, to: k.dtype), rounded(dv, to: v.dtype))
    }
}

/// The matrices of each head inside `[B, S, H, D]` tensors.
private struct AttentionHeads {
    let q: Tensor, k: Tensor, v: Tensor
    let options: AttentionOptions
    let backend: CPUBackend
    let bias: Tensor?

    var batch: Int { q.shape[0] }
    var count: Int { q.shape[2] }
    var rows: Int { q.shape[1] }
    var columns: Int { k.shape[1] }
    var depth: Int { q.shape[3] }
    /// From one row of a head to its next.
    var step: Int { count * depth }

    init(q: Tensor, k: Tensor, v: Tensor, options: AttentionOptions, backend: CPUBackend) {
        self.q = q
        self.k = k
        self.v = v
        self.options = options
        self.backend = backend
        let full = Shape([q.shape[0], q.shape[2], q.shape[1], k.shape[1]])
        bias = options.bias.map { backend.float32($0).expanded(to: full) }
    }

    /// Where head `head` of a tensor with `rows` rows begins.
    func offset(_ head: Int, _ rows: Int) -> Int { head / count * rows * step + head % count * depth }

    func queries(_ head: Int) -> MatrixView {
        MatrixView(pointer: backend.floats(q) + offset(head, rows), leading: step, isTransposed: false)
    }

    func keys(_ head: Int) -> MatrixView {
        MatrixView(pointer: backend.floats(k) + offset(head, columns), leading: step, isTransposed: false)
    }

    func values(_ head: Int) -> MatrixView {
        MatrixView(pointer: backend.floats(v) + offset(head, columns), leading: step, isTransposed: false)
    }

    /// `scale q k^T + bias`, minus infinity where causality forbids.
    func scores(_ head: Int, into p: UnsafeMutablePointer<Float>) {
        var transposedKeys = keys(head)
        transposedKeys.isTransposed = true
        backend.multiply(
            queries(head), transposedKeys, into: p, leading: columns, m: rows, k: depth, n: columns,
            alpha: options.scale)
        if let bias {
            let base =
                bias.stridedPointer(to: Float.self) + head / count * bias.strides[0]
                + head % count * bias.strides[1]
            for row in 0..<rows {
                for column in 0..<columns {
                    p[row * columns + column] += base[row * bias.strides[2] + column * bias.strides[3]]
                }
            }
        }
        if options.isCausal {
            for row in 0..<rows {
                for column in min(row + 1, columns)..<columns { p[row * columns + column] = -.infinity }
            }
        }
    }
}
