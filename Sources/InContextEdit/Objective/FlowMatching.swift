public import TensorCore

/// Rectified flow: a straight way from data to noise and the velocity along it (Liu et al. 2022, Lipman et al. 2022).
///
/// `x_t = (1 - t) x_0 + t x_1` with `x_0` clean latents and `x_1` noise; the model learns `v = x_1 - x_0`.
public enum FlowMatching {
    /// `x_t` for a batch `[B, …]` and times `[B]`.
    public static func interpolate(_ clean: Tensor, _ noise: Tensor, time: Tensor) -> Tensor {
        let t = time.reshaped(to: [time.count] + [Int](repeating: 1, count: clean.rank - 1))
        return clean * t.affine(scale: -1, shift: 1) + noise * t
    }

    /// The velocity `x_1 - x_0`.
    public static func velocity(_ clean: Tensor, _ noise: Tensor) -> Tensor { noise - clean }
}
