public import Models
public import TensorCore
import TensorIO

/// How the autoencoder and the text encoders of a pipeline compute.
public struct EncoderOptions: Sendable, Hashable {
    /// The type of the autoencoder's activations, `float32` or `bfloat16`; wider weights are rounded to the latter.
    public var vaeType = DType.float32
    /// The type of the text encoders' activations, `float32` or `bfloat16`.
    public var textType = DType.float32

    /// When the autoencoder works tile by tile.
    public var tiling = AutoencoderTiling()

    /// Everything in `float32`, tiles for large images.
    public init() {}
}

/// The frozen encoders of a pipeline without its transformer: images to latents, words to vectors.
public final class FrozenEncoders {
    /// Images to latents and back.
    public let vae: AutoencoderKL
    /// Words to vectors.
    public let textEncoders: TextEncoders
    /// How they compute.
    public let options: EncoderOptions
    private let parts: PipelineParts

    /// Reads the autoencoder, the text encoders and their tokenizers. Throws one error that names what is missing,
    /// unexpected or misshapen.
    public init(_ parts: PipelineParts, options: EncoderOptions = EncoderOptions()) throws {
        self.options = options
        self.parts = parts
        vae = try parts.loadVAE()
        textEncoders = try parts.loadTextEncoders()
        vae.tiling = options.tiling
        if options.vaeType == .bfloat16 { vae.convertWeights(to: .bfloat16) }
    }

    /// The packed, normalised latents of an image in `[-1, 1]`, `[1, 3, H, W]`: the mode of the posterior, or with `draw`,
    /// a normal number for each latent in the type of the activations, a draw from it.
    ///
    /// Throws ``FileError`` when the autoencoder gives numbers that are not finite.
    public func packedLatents(_ image: Tensor, drawing draw: Tensor? = nil) throws -> Tensor {
        let posterior = vae.encode(image.converted(to: options.vaeType))
        let latents =
            draw.map { posterior.mean + (posterior.logVariance * 0.5).applying(.exponential) * $0 } ?? posterior.mean
        guard latents.isFinite else { throw parts.notFinite(.vae, "latents of a picture", options.vaeType) }
        return LatentPacking.pack(vae.normalized(latents.converted(to: .float32)))
    }

    /// The vectors of prompts, `float32`; see ``TextEncoders/encode(_:maximumLength:computeType:)``.
    ///
    /// Throws ``FileError`` when an encoder gives numbers that are not finite.
    public func encode(_ prompts: [String], maximumLength: Int) throws -> (text: Tensor, pooled: Tensor) {
        let encoded = textEncoders.encode(prompts, maximumLength: maximumLength, computeType: options.textType)
        guard encoded.pooled.isFinite else { throw parts.notFinite(.textEncoder, "text", options.textType) }
        guard encoded.text.isFinite else { throw parts.notFinite(.textEncoder2, "text", options.textType) }
        return encoded
    }
}
