import CKernels

/// Unfused attention: norms, rotation and concatenation as primitives of their own, then the whole matrix of weights of each
/// head. It serves the engines that results are compared with, and is the oracle of the fused kernels.
extension CPUBackend {
    /// See ``Backend/attention(_:options:)``.
    func unfusedAttention(_ streams: [AttentionStream<Tensor>], options: AttentionOptions) -> AttentionResult {
        let (q, k, v) = joined(streams, options)
        let result = unfusedAttention(q, k, v, options: options)
        return AttentionResult(
            outputs: split(result.output, streams.map { $0.query.shape[1] }).map {
                copy($0, as: streams[0].query.dtype)
            },
            logSumExp: result.logSumExp)
    }

    /// See ``Backend/attentionGradient(_:options:result:gradients:needs:)``.
    func unfusedAttentionGradient(
        _ streams: [AttentionStream<Tensor>], options: AttentionOptions, result: AttentionResult, gradients: [Tensor?],
        needs: AttentionNeeds
    ) -> [AttentionGradients] {
        let (q, k, v) = joined(streams, options)
        let upstream = zip(gradients, streams).map { $0.map(float32) ?? Tensor(zeros: $1.query.shape) }
        let joint = AttentionResult(
            outputs: [concatenate(result.outputs.map(float32), axis: 1)], logSumExp: result.logSumExp)
        var g = unfusedAttentionGradient(
            q, k, v, options: options, result: joint, gradient: concatenate(upstream, axis: 1))
        (g.q, g.k) = (rotated(g.q, options, inverse: true), rotated(g.k, options, inverse: true))
        let dq = split(g.q, streams.map { $0.query.shape[1] })
        let (dk, dv) = (split(g.k, streams.map { $0.key.shape[1] }), split(g.v, streams.map { $0.key.shape[1] }))
        return streams.indices.map { index in
            let stream = streams[index]
            var gradients = AttentionGradients()
            func normalized(_ x: Tensor, _ weight: Tensor?, _ gradient: Tensor) -> (input: Tensor, weight: Tensor?) {
                guard let weight else { return (copy(gradient, as: x.dtype), nil) }
                let found = rmsNormGradient(
                    float32(x), weight: float32(weight), epsilon: options.normEpsilon, gradient: gradient,
                    needsInput: true, needsParameters: needs.contains(.norms))
                return (copy(found.input!, as: x.dtype), found.weight)
            }
            if needs.contains(.queries) {
                (gradients.query, gradients.queryNorm) = normalized(stream.query, stream.queryNorm, dq[index])
            }
            if needs.contains(.keysAndValues) {
                (gradients.key, gradients.keyNorm) = normalized(stream.key, stream.keyNorm, dk[index])
                gradients.value = copy(dv[index], as: stream.value.dtype)
            }
            return gradients
        }
    }

    /// The joint sequence in `float32`, normalised and rotated.
    private func joined(
        _ streams: [AttentionStream<Tensor>], _ options: AttentionOptions
    ) -> (q: Tensor, k: Tensor, v: Tensor) {
        func norm(_ x: Tensor, _ weight: Tensor?) -> Tensor {
            weight.map { rmsNorm(float32(x), weight: $0, epsilon: options.normEpsilon) } ?? float32(x)
        }
        return (
            rotated(concatenate(streams.map { norm($0.query, $0.queryNorm) }, axis: 1), options),
            rotated(concatenate(streams.map { norm($0.key, $0.keyNorm) }, axis: 1), options),
            concatenate(streams.map { float32($0.value) }, axis: 1)
        )
    }

    /// Queries or keys rotated by the angles of the last tokens of the sequence, as many as they are.
    private func rotated(_ x: Tensor, _ options: AttentionOptions, inverse: Bool = false) -> Tensor {
        guard let angles = options.rotary else { return x }
        let keys = angles.cosine.shape[0]
        let last = keys - x.shape[1]..<keys
        return rotary(
            x, cosine: angles.cosine.sliced(axis: 0, last), sine: angles.sine.sliced(axis: 0, last), inverse: inverse)
    }

    /// Consecutive parts of the second axis.
    private func split(_ x: Tensor, _ extents: [Int]) -> [Tensor] {
        var end = 0
        return extents.map { extent in
            end += extent
            return x.sliced(axis: 1, end - extent..<end)
        }
    }

    /// Of `float32`, one head at a time.
    private func unfusedAttention(
        _ q: Tensor, _ k: Tensor, _ v: Tensor, options: AttentionOptions
    ) -> AttentionResult {
        let heads = AttentionHeads(q: q, k: k, v: v, options: options, backend: self)
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
        return AttentionResult(outputs: [output], logSumExp: denominators)
    }

    /// The weights are computed again.
    private func unfusedAttentionGradient(
        _ q: Tensor, _ k: Tensor, _ v: Tensor, options: AttentionOptions, result: AttentionResult, gradient: Tensor
    ) -> (q: Tensor, k: Tensor, v: Tensor) {
        let heads = AttentionHeads(q: q, k: k, v: v, options: options, backend: self)
        let (out, dout) = (result.output, gradient)
        let (dq, dk, dv) = (
            Tensor(uninitialized: q.shape), Tensor(uninitialized: k.shape), Tensor(uninitialized: v.shape)
        )
        let (rows, columns, depth, step) = (heads.rows, heads.columns, heads.depth, heads.step)
        let (o, g, logs) = (floats(out), floats(dout), floats(result.logSumExp))
        let (toQ, toK, toV) = (floats(dq), floats(dk), floats(dv))
        parallelFor(heads.batch * heads.count, grain: 1) { part in
            let weights = Tensor(uninitialized: [rows, columns])
            let scoreGradients = Tensor(uninitialized: [rows, columns])
            let (p, ds) = (floats(weights), floats(scoreGradients))
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
        return (dq, dk, dv)
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
