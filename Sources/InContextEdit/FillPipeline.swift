public import Autograd
public import Models
public import TensorCore
import TensorIO

/// The frozen parts of FLUX.1 [Fill] working together: images and words in, latents and velocities through, images
/// out.
public final class FillPipeline {
    /// The diffusion transformer.
    public let transformer: FluxTransformer
    /// The autoencoder and the text encoders.
    public let frozenEncoders: FillEncoders
    /// The noise schedule.
    public let scheduler: SchedulerConfiguration
    /// Where its parts were read from.
    public let parts: PipelineParts
    /// The folder it was read from.
    public var path: String { parts.folder }
    /// How the autoencoder and the text encoders compute.
    public var encoders: EncoderOptions { frozenEncoders.options }
    /// Images to latents and back.
    public var vae: AutoencoderKL { frozenEncoders.vae }
    /// Words to vectors.
    public var textEncoders: TextEncoders { frozenEncoders.textEncoders }

    /// Reads all parts of a diffusers folder. Throws one error that names what is missing, unexpected or misshapen.
    public convenience init(path: String, encoders: EncoderOptions = EncoderOptions()) throws {
        try self.init(PipelineParts(folder: path), encoders: encoders)
    }

    /// Reads a pipeline that is put together from a folder and files; throws as ``init(path:encoders:)`` does.
    public init(_ parts: PipelineParts, encoders: EncoderOptions = EncoderOptions()) throws {
        self.parts = parts
        if !parts.namesAllModels { _ = try PipelineFolder(path: parts.folder) }
        scheduler = try parts.loadScheduler()
        transformer = try parts.loadTransformer()
        frozenEncoders = try FillEncoders(parts, options: encoders)
        try transformer.requireFill(latentChannels: vae.configuration.latentChannels, parts)
    }

    /// Channels of the VAE's latents.
    public var latentChannels: Int { vae.configuration.latentChannels }

    /// See ``FillEncoders/packedLatents(_:drawing:)``.
    public func packedLatents(_ image: Tensor) throws -> Tensor { try frozenEncoders.packedLatents(image) }

    /// See ``FillEncoders/condition(_:drawing:)``.
    public func condition(_ diptych: Diptych) throws -> Tensor { try frozenEncoders.condition(diptych) }

    /// See `FluxTransformer.velocity`.
    public func velocity(
        _ noisy: Tensor, condition: Tensor, text: Tensor, pooled: Tensor, time: Tensor, guidance: Float,
        geometry: DiptychGeometry, precision: DType
    ) -> Variable {
        transformer.velocity(
            noisy, condition: condition, text: text, pooled: pooled, time: time, guidance: guidance,
            geometry: geometry, precision: precision)
    }

    /// The canvas in `[-1, 1]`, `[1, 3, H, W]`, that packed latents stand for.
    public func decode(_ packed: Tensor, geometry: DiptychGeometry) -> Tensor {
        let latents = LatentPacking.unpack(packed, rows: geometry.tokenRows, columns: geometry.tokenColumns)
        return vae.decode(vae.denormalized(latents).converted(to: encoders.vaeType)).converted(to: .float32)
    }

    /// See ``FillEncoders/encode(_:maximumLength:)``.
    public func encode(_ prompts: [String], maximumLength: Int) throws -> (text: Tensor, pooled: Tensor) {
        try frozenEncoders.encode(prompts, maximumLength: maximumLength)
    }
}
