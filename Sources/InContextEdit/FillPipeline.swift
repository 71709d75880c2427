public import Autograd
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

/// The frozen parts of FLUX.1 [Fill] working together: images and words in, latents and velocities through, images
/// out.
public final class FillPipeline {
    /// The diffusion transformer.
    public let transformer: FluxTransformer
    /// Images to latents and back.
    public let vae: AutoencoderKL
    /// Words to vectors.
    public let textEncoders: TextEncoders
    /// The noise schedule.
    public let scheduler: SchedulerConfiguration
    /// The folder it was read from.
    public let path: String
    /// How the autoencoder and the text encoders compute.
    public let encoders: EncoderOptions

    /// Reads all parts of a diffusers folder. Throws one error that names what is missing, unexpected or misshapen.
    public convenience init(path: String, encoders: EncoderOptions = EncoderOptions()) throws {
        try self.init(PipelineParts(folder: path), encoders: encoders)
    }

    /// Reads a pipeline that is put together from a folder and files; throws as ``init(path:encoders:)`` does.
    public init(_ parts: PipelineParts, encoders: EncoderOptions = EncoderOptions()) throws {
        path = parts.folder
        self.encoders = encoders
        if !parts.namesAllModels { _ = try PipelineFolder(path: parts.folder) }
        scheduler = try parts.loadScheduler()
        transformer = try parts.loadTransformer()
        vae = try parts.loadVAE()
        textEncoders = try parts.loadTextEncoders()
        vae.tiling = encoders.tiling
        if encoders.vaeType == .bfloat16 { vae.convertWeights(to: .bfloat16) }
        let packed = vae.configuration.latentChannels * 4
        let expected = 2 * packed + DiptychGeometry.latentSide * DiptychGeometry.latentSide * 4
        guard transformer.configuration.inChannels == expected else {
            let variant = transformer.configuration.variant.map { ", that of \($0)" } ?? ""
            throw FileError(
                parts.transformer ?? path, key: parts.transformer == nil ? "transformer/config.json: in_channels" : nil,
                expected: "\(expected) input channels for a Fill model (noise, masked image, mask)",
                found: "\(transformer.configuration.inChannels)\(variant)")
        }
    }

    /// Channels of the VAE's latents.
    public var latentChannels: Int { vae.configuration.latentChannels }

    /// The packed, normalised latents of an image in `[-1, 1]`, `[1, 3, H, W]`: the mode of the posterior.
    public func packedLatents(_ image: Tensor) -> Tensor {
        let mean = vae.encode(image.converted(to: encoders.vaeType)).mean
        return LatentPacking.pack(vae.normalized(mean.converted(to: .float32)))
    }

    /// What the transformer is told about a diptych besides the noisy latents: packed latents of the canvas with its
    /// right panel blanked, then the mask: `[1, tokens, 64 + 256]`.
    public func condition(_ diptych: Diptych) -> Tensor {
        let geometry = diptych.geometry
        let image = diptych.canvas.tensor().unsqueezed(0)
        let left = image.sliced(axis: 3, 0..<geometry.panelWidth)
        let blanked = left.padded(low: [0, 0, 0, 0], high: [0, 0, 0, geometry.panelWidth])
        return Tensor.concatenated([packedLatents(blanked), geometry.packedMask.unsqueezed(0)], axis: 2)
    }

    /// The transformer's velocity for noisy packed latents `[B, tokens, 64]` under conditions `[B, tokens, 320]`,
    /// text `[B, T, d]`, pooled text `[B, p]`, times `[B]` and guidance; computed in `precision`, given in `float32`.
    public func velocity(
        _ noisy: Tensor, condition: Tensor, text: Tensor, pooled: Tensor, time: Tensor, guidance: Float,
        geometry: DiptychGeometry, precision: DType
    ) -> Variable {
        let input = FluxInput(
            latents: Variable(Tensor.concatenated([noisy, condition], axis: 2).converted(to: precision)),
            text: Variable(text.converted(to: precision)), pooled: Variable(pooled.converted(to: precision)),
            timestep: time,
            guidance: transformer.configuration.guidanceEmbeds ? Tensor(full: time.shape, guidance) : nil,
            imageIDs: geometry.imageIDs,
            textIDs: Tensor(zeros: [text.shape[1], 3]))
        return transformer(input).converted(to: .float32)
    }

    /// The canvas in `[-1, 1]`, `[1, 3, H, W]`, that packed latents stand for.
    public func decode(_ packed: Tensor, geometry: DiptychGeometry) -> Tensor {
        let latents = LatentPacking.unpack(packed, rows: geometry.tokenRows, columns: geometry.tokenColumns)
        return vae.decode(vae.denormalized(latents).converted(to: encoders.vaeType)).converted(to: .float32)
    }

    /// The vectors of prompts, `float32`; see ``TextEncoders/encode(_:maximumLength:computeType:)``.
    public func encode(_ prompts: [String], maximumLength: Int) -> (text: Tensor, pooled: Tensor) {
        textEncoders.encode(prompts, maximumLength: maximumLength, computeType: encoders.textType)
    }
}
