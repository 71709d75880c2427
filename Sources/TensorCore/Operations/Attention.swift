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
        precondition(
            q.rank == 4 && k.shape == v.shape && k.rank == 4, "attention of \(q.shape), \(k.shape), \(v.shape)")
        precondition(
            q.shape[0] == k.shape[0] && q.shape[2] == k.shape[2] && q.shape[3] == k.shape[3],
            "attention of \(q.shape) over \(k.shape)")
        precondition(q.dtype == k.dtype && k.dtype == v.dtype, "attention of \(q.dtype), \(k.dtype), \(v.dtype)")
        return Device.backend.attention(q, k, v, options: options)
    }
}
