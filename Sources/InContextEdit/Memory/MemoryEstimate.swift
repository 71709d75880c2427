public import Models
public import TensorCore

/// What models take besides their weights, from their proportions.
///
/// The factors count the tensors that are alive at once and leave room; the peaks of an edit and of a training step at full
/// size lay below them.
public enum MemoryEstimate {
    /// The program itself, its libraries and the kernels' buffers: a fixed part, and packed rows and tiles by thread.
    public static var program: Int { (96 << 20) + Threads.count * (12 << 20) }

    /// A forward pass of the transformer over `batch` samples of so many tokens.
    public static func sampling(_ model: FluxConfiguration, tokens: Int, batch: Int, _ dtype: DType) -> Int {
        18 * state(model, tokens: tokens, batch: batch, dtype)
    }

    /// A forward and a backward pass with frozen weights: block inputs alone where blocks are checkpointed.
    public static func training(
        _ model: FluxConfiguration, tokens: Int, batch: Int, _ dtype: DType, checkpointing: Bool
    ) -> Int {
        let blocks = model.numLayers + model.numSingleLayers
        let factor = checkpointing ? blocks + 48 : 26 * blocks + 24
        return factor * state(model, tokens: tokens, batch: batch, dtype)
    }

    /// A tensor of all tokens.
    private static func state(_ model: FluxConfiguration, tokens: Int, batch: Int, _ dtype: DType) -> Int {
        batch * tokens * model.innerDimension * dtype.byteCount
    }

    /// A pass through T5 of `length` tokens.
    public static func textEncoding(_ model: T5Configuration, length: Int, _ dtype: DType) -> Int {
        let inner = model.numHeads * model.dKv
        let wide = length * (3 * model.dFf + 4 * inner) * dtype.byteCount
        return wide + length * model.dModel * 16 + 2 * model.numHeads * length * length * 4
    }

    /// A pass through the autoencoder, there or back.
    public static func imageCoding(
        _ model: AutoencoderKLConfiguration, height: Int, width: Int, _ dtype: DType, tiling: AutoencoderTiling
    ) -> Int {
        let finest = model.blockOutChannels[0] * height * width * dtype.byteCount
        let isTiled = tiling.applies(height: height, width: width)
        // The rows that a thread convolves at a time: staged with margins, and their sums.
        let band = width * model.blockOutChannels[0] * (16 * dtype.byteCount + 4 * 4)
        // Six of the finest tensors, since the decoder's last stage begins with the channels of the one before.
        return (isTiled ? finest * 9 / 4 : finest * 6) + 3 * height * width * 8 + Threads.count * band + (192 << 20)
    }
}
