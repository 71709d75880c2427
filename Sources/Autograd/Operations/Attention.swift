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
        let (a, b, c) = (q.value, k.value, v.value)
        let result = Tensor.attention(a, b, c, options: options)
        return .recording(result.output, [q, k, v]) { dy in
            let g = Device.backend.attentionGradient(a, b, c, options: options, result: result, gradient: dy)
            return [g.q, g.k, g.v]
        }
    }
}
