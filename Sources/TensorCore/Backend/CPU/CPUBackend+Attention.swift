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

    /// See ``Backend/attention(_:options:)``. Fused, by the kernels of `attention.h`, or unfused by the other engines.
    public func attention(_ streams: [AttentionStream<Tensor>], options: AttentionOptions) -> AttentionResult {
        if engine != .kernels { return unfusedAttention(streams, options: options) }
        let (dtype, wide) = (streams[0].query.dtype, streams.map(readable))
        let found = TiledAttention(wide, options, backend: self).run()
        return AttentionResult(outputs: found.outputs.map { copied($0, as: dtype) }, logSumExp: found.logSumExp)
    }

    /// See ``Backend/attentionGradient(_:options:result:gradients:needs:)``. The weights are computed again, tile by tile.
    public func attentionGradient(
        _ streams: [AttentionStream<Tensor>], options: AttentionOptions, result: AttentionResult, gradients: [Tensor?],
        needs: AttentionNeeds
    ) -> [AttentionGradients] {
        if engine != .kernels {
            return unfusedAttentionGradient(
                streams, options: options, result: result, gradients: gradients, needs: needs)
        }
        let (dtype, wide) = (streams[0].query.dtype, streams.map(readable))
        let type = wide[0].query.dtype
        let found = TiledAttention(wide, options, backend: self).runGradient(
            outputs: result.outputs.map { copied($0, as: type).contiguous() }, logSumExp: result.logSumExp.contiguous(),
            gradients: gradients.map { $0.map { readable(copied($0, as: type)) } }, needs: needs)
        return found.map { gradients in
            var gradients = gradients
            gradients.query = gradients.query.map { copied($0, as: dtype) }
            gradients.key = gradients.key.map { copied($0, as: dtype) }
            gradients.value = gradients.value.map { copied($0, as: dtype) }
            return gradients
        }
    }

    /// Operands as the kernels read them.
    private func readable(_ stream: AttentionStream<Tensor>) -> AttentionStream<Tensor> {
        AttentionStream(
            query: readable(stream.query), key: readable(stream.key), value: readable(stream.value),
            queryNorm: stream.queryNorm.map(float32), keyNorm: stream.keyNorm.map(float32))
    }

    /// `float16` as `float32`; heads with contiguous channels.
    private func readable(_ x: Tensor) -> Tensor {
        if x.dtype == .float16 { return copy(x, as: .float32) }
        return x.shape[3] == 1 || x.strides[3] == 1 ? x : copy(x, as: x.dtype)
    }

    private func copied(_ x: Tensor, as dtype: DType) -> Tensor { x.dtype == dtype ? x : copy(x, as: dtype) }
}
