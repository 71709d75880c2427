/// Attention and rotary position embedding, heads kept where linear layers leave them: `[batch, sequence, head, depth]`.
extension Tensor {
    /// Rotates interleaved pairs of the last axis of `[B, S, H, D]` by the angles whose `cosine` and `sine` are
    /// `[S, D/2]`; `inverse` rotates back (the adjoint).
    public func rotary(cosine: Tensor, sine: Tensor, inverse: Bool = false) -> Tensor {
        precondition(
            rank == 4 && shape[3] % 2 == 0 && cosine.shape == [shape[1], shape[3] / 2] && sine.shape == cosine.shape,
            "rotary angles \(cosine.shape), \(sine.shape) for \(shape)")
        return Device.backend.rotary(self, cosine: cosine, sine: sine, inverse: inverse)
    }

    /// `softmax(scale q k^T + bias) v` per head: `q` `[B, S, H, D]`, `k`, `v` `[B, T, H, D]`.
    public static func attention(_ q: Tensor, _ k: Tensor, _ v: Tensor, options: AttentionOptions) -> AttentionResult {
        attention([AttentionStream(query: q, key: k, value: v)], options: options)
    }

    /// The same over the joint sequence of several streams of tokens, with an RMS norm of each head's queries and keys
    /// where the streams have scales for it, and then their rotation where the options have angles: one output for each
    /// stream.
    public static func attention(
        _ streams: [AttentionStream<Tensor>], options: AttentionOptions
    ) -> AttentionResult {
        precondition(!streams.isEmpty, "attention without streams")
        let (batch, heads, depth) = (streams[0].query.shape[0], streams[0].query.shape[2], streams[0].query.shape[3])
        let dtype = streams[0].query.dtype
        for stream in streams {
            let (q, k, v) = (stream.query, stream.key, stream.value)
            precondition(
                q.rank == 4 && k.shape == v.shape && k.rank == 4, "attention of \(q.shape), \(k.shape), \(v.shape)")
            for x in [q, k] {
                precondition(
                    x.shape[0] == batch && x.shape[2] == heads && x.shape[3] == depth,
                    "attention of \(x.shape) together with \(streams[0].query.shape)")
            }
            precondition(
                dtype.isFloatingPoint && q.dtype == dtype && k.dtype == dtype && v.dtype == dtype,
                "attention of \(q.dtype), \(k.dtype), \(v.dtype) together with \(dtype)")
            for norm in [stream.queryNorm, stream.keyNorm].compactMap({ $0 }) {
                precondition(norm.shape == [depth], "a norm's scale \(norm.shape) for heads of depth \(depth)")
            }
        }
        if let rotary = options.rotary {
            let queries = streams.reduce(0) { $0 + $1.query.shape[1] }
            let keys = streams.reduce(0) { $0 + $1.key.shape[1] }
            precondition(
                depth % 2 == 0 && queries <= keys && rotary.cosine.shape == [keys, depth / 2]
                    && rotary.sine.shape == rotary.cosine.shape,
                "rotary angles \(rotary.cosine.shape), \(rotary.sine.shape) for \(queries) queries and \(keys) keys of "
                    + "depth \(depth)")
        }
        return Device.backend.attention(streams, options: options)
    }
}
