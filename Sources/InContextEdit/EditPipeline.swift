public import Models
public import TensorCore
public import TensorIO

/// The frozen parts of a FLUX pipeline working together: images and words in, latents and velocities through, images out.
public final class EditPipeline {
    /// The diffusion transformer.
    public let transformer: FluxTransformer
    /// How the transformer is asked for an edit.
    public let framework: any EditFramework
    /// The autoencoder and the text encoders.
    public let frozenEncoders: FrozenEncoders
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
    public convenience init(
        path: String, encoders: EncoderOptions = EncoderOptions(), framework: FrameworkName? = nil
    ) throws {
        try self.init(PipelineParts(folder: path), encoders: encoders, framework: framework)
    }

    /// Reads a pipeline that is put together from a folder and files; without a `framework`, that of the folder's class, or
    /// FLUX.1 [Fill]'s. Throws as ``init(path:encoders:framework:)`` does.
    public init(
        _ parts: PipelineParts, encoders: EncoderOptions = EncoderOptions(), framework: FrameworkName? = nil
    ) throws {
        self.parts = parts
        self.framework = try parts.framework(framework).framework
        scheduler = try parts.loadScheduler()
        transformer = try parts.loadTransformer()
        frozenEncoders = try FrozenEncoders(parts, options: encoders)
        try self.framework.require(transformer, latentChannels: vae.configuration.latentChannels, parts)
    }

    /// Channels of the VAE's latents.
    public var latentChannels: Int { vae.configuration.latentChannels }

    /// What the model is given besides the noisy latents: the source of ``EditFramework/sourceLatents(_:_:drawing:)`` and the
    /// text of ``encode(_:maximumLength:)``.
    public func conditioning(
        source: Tensor, text: Tensor, pooled: Tensor, guidance: Float, geometry: DiptychGeometry
    ) -> Conditioning {
        framework.conditioning(source: source, text: text, pooled: pooled, guidance: guidance, geometry: geometry)
    }

    /// The canvas in `[-1, 1]`, `[1, 3, H, W]`, that packed latents stand for.
    public func decode(_ packed: Tensor, geometry: DiptychGeometry) -> Tensor {
        let latents = LatentPacking.unpack(packed, rows: geometry.tokenRows, columns: geometry.tokenColumns)
        return vae.decode(vae.denormalized(latents).converted(to: encoders.vaeType)).converted(to: .float32)
    }

    /// See ``FrozenEncoders/encode(_:maximumLength:)``.
    public func encode(_ prompts: [String], maximumLength: Int) throws -> (text: Tensor, pooled: Tensor) {
        try frozenEncoders.encode(prompts, maximumLength: maximumLength)
    }
}

extension PipelineParts {
    /// The framework that is asked for, or that of the folder's index, or FLUX.1 [Fill]'s. Throws `FileError` when the folder,
    /// where it is needed, is no pipeline's.
    public func framework(_ asked: FrameworkName?) throws -> FrameworkName {
        let index = namesAllModels ? nil : try PipelineFolder(path: folder)
        return asked ?? index.flatMap { FrameworkName(pipelineClass: $0.pipelineClass) } ?? .fill
    }
}

extension EditFramework {
    /// Throws `FileError` unless the transformer has the inputs that the framework fills; `parts` say where it came from.
    public func require(_ transformer: FluxTransformer, latentChannels: Int, _ parts: PipelineParts) throws {
        let (expected, words) = inputs(latentChannels: latentChannels)
        let model = transformer.configuration
        guard model.inChannels == expected else {
            let variant = model.variant.map { ", that of \($0)" } ?? ""
            let other = FrameworkName.all.first {
                $0.name != name && $0.inputs(latentChannels: latentChannels).channels == model.inChannels
            }
            let hint = other.map { " (the framework '\($0.name)' takes such a model)" } ?? ""
            throw FileError(
                parts.transformer ?? parts.folder,
                key: parts.transformer == nil ? "transformer/config.json: in_channels" : nil,
                expected: "\(expected) input channels for \(words)", found: "\(model.inChannels)\(variant)\(hint)")
        }
    }
}
