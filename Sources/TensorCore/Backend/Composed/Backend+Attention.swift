extension Backend {
    /// The default: `(a + b i) (cos + i sin)` of the two halves of all pairs.
    public func rotary(_ x: Tensor, cosine: Tensor, sine: Tensor, inverse: Bool) -> Tensor {
        composed(x).rotated(composed(cosine), composed(sine), inverse: inverse).result(as: x.dtype)
    }

    /// The default, unfused: the whole matrix of scores of every head, its softmax, then the product with the values.
    public func attention(_ streams: [AttentionStream<Tensor>], options: AttentionOptions) -> AttentionResult {
        let joint = JointAttention(streams, options, self)
        let (weights, logSumExp) = joint.scores.softmax()
        let outputs = joint.queryParts(of: weights.product(joint.values))
        return AttentionResult(
            outputs: outputs.map { $0.result(as: streams[0].query.dtype) },
            logSumExp: logSumExp.reshaped(logSumExp.shape.dimensions.dropLast()).result())
    }

    /// The default, unfused: the weights are computed again from the scores and `logSumExp`.
    public func attentionGradient(
        _ streams: [AttentionStream<Tensor>], options: AttentionOptions, result: AttentionResult, gradients: [Tensor?],
        needs: AttentionNeeds
    ) -> [AttentionGradients] {
        let joint = JointAttention(streams, options, self)
        let output = joint.byHead(result.outputs.map(composed))
        let upstream = joint.byHead(
            zip(gradients, streams).map { gradient, stream in
                composed(gradient ?? Tensor(zeros: stream.query.shape))
            })
        let denominator = composed(result.logSumExp)
        let logSumExp = denominator.reshaped(denominator.shape.dimensions + [1])
        let isNothing = logSumExp.isEqual(to: -.infinity)
        let shift = logSumExp.replaced(where: isNothing, by: 0)
        let weights = (joint.scores - shift).applying(.exponential)
        let dot = (upstream * output).sum(-1)
        let scoreGradient = weights * (upstream.product(joint.values.transposed) - dot) * options.scale
        let values = joint.keyParts(of: weights.transposed.product(upstream))
        let queries = joint.queryParts(of: scoreGradient.product(joint.keys), isRotated: true)
        let keys = joint.keyParts(of: scoreGradient.transposed.product(joint.queries), isRotated: true)

        /// The gradients of queries or keys before their norm, and of its scale.
        func beforeNorm(_ x: Tensor, _ weight: Tensor?, _ gradient: Composed) -> (input: Tensor, weight: Tensor?) {
            guard let weight else { return (gradient.result(as: x.dtype), nil) }
            let found = rmsNormGradient(
                composed(x).value, weight: weight, epsilon: options.normEpsilon, gradient: gradient.value,
                needsInput: true, needsParameters: needs.contains(.norms))
            return (composed(found.input!).result(as: x.dtype), found.weight)
        }
        return streams.indices.map { index in
            let stream = streams[index]
            var gradients = AttentionGradients()
            if needs.contains(.queries) {
                (gradients.query, gradients.queryNorm) = beforeNorm(stream.query, stream.queryNorm, queries[index])
            }
            if needs.contains(.keysAndValues) {
                (gradients.key, gradients.keyNorm) = beforeNorm(stream.key, stream.keyNorm, keys[index])
                gradients.value = values[index].result(as: stream.value.dtype)
            }
            return gradients
        }
    }
}

/// The joint sequence of an attention's streams, head by head: `[B, H, S, D]` each.
private struct JointAttention {
    let queries: Composed, keys: Composed, values: Composed
    private let streams: [AttentionStream<Tensor>]
    private let options: AttentionOptions
    private let backend: any Backend

    init(_ streams: [AttentionStream<Tensor>], _ options: AttentionOptions, _ backend: any Backend) {
        func normalized(_ x: Tensor, _ weight: Tensor?) -> Composed {
            let x = Composed(x, backend)
            guard let weight else { return x }
            return x.normalized(options.normEpsilon, isCentred: false).values * Composed(weight, backend)
        }
        (self.streams, self.options, self.backend) = (streams, options, backend)
        func joint(_ parts: [Composed], turns: Bool) -> Composed {
            let x = Composed.concatenated(parts, axis: 1)
            return (turns ? Self.turned(x, options) : x).permuted([0, 2, 1, 3])
        }
        queries = joint(streams.map { normalized($0.query, $0.queryNorm) }, turns: true)
        keys = joint(streams.map { normalized($0.key, $0.keyNorm) }, turns: true)
        values = joint(streams.map { Composed($0.value, backend) }, turns: false)
    }

    /// `scale q k^T + bias` `[B, H, S, T]`, minus infinity where causality forbids.
    var scores: Composed {
        var scores = queries.product(keys.transposed) * options.scale
        let shape = scores.shape
        if let bias = options.bias { scores = scores + Composed(bias, backend).expanded(shape) }
        if !options.isCausal { return scores }
        let places = { (count: Int) in Composed(Tensor((0..<count).map { Float($0) }, [count]), backend) }
        let isLater = places(shape[2]).reshaped([shape[2], 1]).isLess(than: places(shape[3]))
        return scores.replaced(where: isLater, by: -.infinity)
    }

    /// `[B, S, H, D]` of each stream joined and turned to `[B, H, S, D]`.
    func byHead(_ parts: [Composed]) -> Composed {
        Composed.concatenated(parts, axis: 1).permuted([0, 2, 1, 3])
    }

    /// `[B, H, S, D]` as `[B, S, H, D]` of each stream, rotated back if it `isRotated`.
    func queryParts(of x: Composed, isRotated: Bool = false) -> [Composed] {
        parts(of: x, streams.map { $0.query.shape[1] }, isRotated)
    }

    /// The same of keys or values.
    func keyParts(of x: Composed, isRotated: Bool = false) -> [Composed] {
        parts(of: x, streams.map { $0.key.shape[1] }, isRotated)
    }

    private func parts(of x: Composed, _ extents: [Int], _ isRotated: Bool) -> [Composed] {
        let tokens = x.permuted([0, 2, 1, 3])
        let straight = isRotated ? Self.turned(tokens, options, inverse: true) : tokens
        var end = 0
        return extents.map { extent in
            end += extent
            return straight.sliced(1, end - extent..<end)
        }
    }

    /// `[B, S, H, D]` turned by the angles of the last tokens of the sequence, as many as they are.
    private static func turned(_ x: Composed, _ options: AttentionOptions, inverse: Bool = false) -> Composed {
        guard let angles = options.rotary else { return x }
        let count = angles.cosine.shape[0]
        let last = count - x.shape[1]..<count
        return x.rotated(
            x.with(angles.cosine).sliced(0, last), x.with(angles.sine).sliced(0, last), inverse: inverse)
    }
}

extension Composed {
    /// Neighbouring channels of `[B, S, H, D]` turned together by angles `[S, D/2]`.
    fileprivate func rotated(_ cosine: Composed, _ sine: Composed, inverse: Bool) -> Composed {
        let dimensions = shape.dimensions
        let (sequence, half) = (dimensions[1], dimensions[3] / 2)
        let pairs = reshaped([dimensions[0], sequence, dimensions[2], half, 2])
        let angles = [sequence, 1, half, 1]
        let (u, v) = (cosine.reshaped(angles), (inverse ? -sine : sine).reshaped(angles))
        let (a, b) = (pairs.sliced(4, 0..<1), pairs.sliced(4, 1..<2))
        return Composed.concatenated([a * u - b * v, b * u + a * v], axis: 4).reshaped(dimensions)
    }
}
