public import TensorCore

/// Attention and rotary position embedding on `[batch, sequence, head, depth]`.
extension Variable {
    /// Rotates interleaved pairs of the last axis by the angles whose cosine and sine are `[S, D/2]`.
    public func rotary(cosine: Tensor, sine: Tensor) -> Variable {
        .recording(value.rotary(cosine: cosine, sine: sine), [self]) {
            [$0.rotary(cosine: cosine, sine: sine, inverse: true)]
        }
    }

    /// `softmax(scale q k^T + bias) v` per head.
    public static func attention(_ q: Variable, _ k: Variable, _ v: Variable, options: AttentionOptions) -> Variable {
        attention([AttentionStream(query: q, key: k, value: v)], options: options)[0]
    }

    /// The same over the joint sequence of several streams of tokens, with the norms and the rotation of queries and keys
    /// that streams and options name: one output for each stream.
    public static func attention(
        _ streams: [AttentionStream<Variable>], options: AttentionOptions
    ) -> [Variable] {
        let values = streams.map { $0.map(\.value) }
        let result = Tensor.attention(values, options: options)
        let inputs = streams.flatMap { stream in
            [stream.query, stream.key, stream.value] + [stream.queryNorm, stream.keyNorm].compactMap { $0 }
        }
        func anyWanted(_ variables: [Variable?]) -> Bool { variables.contains { $0?.requiresGradient ?? false } }
        var needs: AttentionNeeds = []
        for stream in streams {
            if anyWanted([stream.query, stream.queryNorm]) { needs.insert(.queries) }
            if anyWanted([stream.key, stream.value, stream.keyNorm]) { needs.insert(.keysAndValues) }
            if anyWanted([stream.queryNorm, stream.keyNorm]) { needs.insert(.norms) }
        }
        return Variable.recording(result.outputs, inputs) { gradients in
            let found = Device.backend.attentionGradient(
                values, options: options, result: result, gradients: gradients, needs: needs)
            return zip(found, values).flatMap { g, stream in
                [g.query, g.key, g.value] + (stream.queryNorm == nil ? [] : [g.queryNorm])
                    + (stream.keyNorm == nil ? [] : [g.keyNorm])
            }
        }
    }
}
