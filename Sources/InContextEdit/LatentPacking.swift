public import TensorCore

/// FLUX's packing of 2 x 2 latents into one token.
public enum LatentPacking {
    /// `[B, C, H, W] -> [B, H/2 * W/2, 4 C]`.
    public static func pack(_ latents: Tensor) -> Tensor {
        let (b, c, h, w) = (latents.shape[0], latents.shape[1], latents.shape[2], latents.shape[3])
        return latents.contiguous().reshaped(to: [b, c, h / 2, 2, w / 2, 2]).permuted([0, 2, 4, 1, 3, 5]).contiguous()
            .reshaped(to: [b, (h / 2) * (w / 2), c * 4])
    }

    /// The inverse of ``pack(_:)`` for `rows` x `columns` tokens.
    public static func unpack(_ tokens: Tensor, rows: Int, columns: Int) -> Tensor {
        let (b, c) = (tokens.shape[0], tokens.shape[2] / 4)
        return tokens.contiguous().reshaped(to: [b, rows, columns, c, 2, 2]).permuted([0, 3, 1, 4, 2, 5]).contiguous()
            .reshaped(to: [b, c, rows * 2, columns * 2])
    }
}
