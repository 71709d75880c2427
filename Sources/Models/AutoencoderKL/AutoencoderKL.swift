public import Autograd
public import NeuralNet
public import TensorCore
public import TensorIO

/// The image autoencoder of latent diffusion: images `[N, 3, H, W]` in -1…1 to latents `[N, C, H / 8, W / 8]` and back.
///
/// ```swift
/// let vae = try AutoencoderKL.load(folder: "FLUX.1-Fill-dev/vae")
/// let latents = vae.normalized(vae.encode(image).mean)
/// let again = vae.decode(vae.denormalized(latents))
/// ```
///
/// Rombach et al. 2022, "High-resolution image synthesis with latent diffusion models"; modules bear the names of
/// diffusers' `AutoencoderKL` (`diffusers/models/autoencoders/autoencoder_kl.py`). Weights stay in their file's type;
/// activations have the type of the input, statistics and sums are `float32`.
public final class AutoencoderKL: Module {
    /// The proportions.
    public let configuration: AutoencoderKLConfiguration
    /// When ``encode(_:)-(Tensor)`` and ``decode(_:)-(Tensor)`` work tile by tile.
    public var tiling = AutoencoderTiling()
    /// How memory is spent.
    public var memory = MemoryPolicy() {
        didSet { for (_, module) in namedModules() { (module as? Conv2D)?.memory = memory } }
    }
    private let encoder: AutoencoderEncoder
    private let decoder: AutoencoderDecoder
    private let momentsConvolution: Conv2D?
    private let latentConvolution: Conv2D?

    /// Takes the weights by diffusers' keys; the caller ends with `loader.finish()`.
    public init(_ configuration: AutoencoderKLConfiguration, _ loader: WeightLoader) {
        let latent = configuration.latentChannels
        self.configuration = configuration
        encoder = AutoencoderEncoder(configuration, loader.scoped("encoder"))
        decoder = AutoencoderDecoder(configuration, loader.scoped("decoder"))
        momentsConvolution =
            configuration.useQuantConv ? Conv2D(loader.scoped("quant_conv"), 2 * latent, 2 * latent, kernel: 1) : nil
        latentConvolution =
            configuration.usePostQuantConv ? Conv2D(loader.scoped("post_quant_conv"), latent, latent, kernel: 1) : nil
    }

    /// Loads a `vae` folder of a diffusers pipeline: `config.json` and its safetensors.
    ///
    /// Throws `FileError` for a faulty file and `WeightError` with all keys that are missing, unexpected or of the wrong
    /// shape.
    public static func load(folder: String) throws -> AutoencoderKL {
        let configuration = try AutoencoderKLConfiguration(path: folder + "/config.json")
        return try load(openTensorArchive(folder), configuration: configuration)
    }

    /// Takes the weights from an archive with diffusers' keys; throws as ``load(folder:)`` does.
    public static func load(
        _ archive: any TensorArchive, configuration: AutoencoderKLConfiguration
    ) throws -> AutoencoderKL {
        try loadWeights(archive) { AutoencoderKL(configuration, $0) }
    }

    /// Rounds all weights to `dtype`, so that images of that type are multiplied without widening.
    public func convertWeights(to dtype: DType) {
        for (_, parameter) in namedParameters() { parameter.replace(parameter.value.converted(to: dtype)) }
    }

    /// The parts, named as diffusers names them.
    public var children: [(name: String, module: any Module)] {
        [("encoder", encoder), ("decoder", decoder)] + (momentsConvolution.map { [("quant_conv", $0)] } ?? [])
            + (latentConvolution.map { [("post_quant_conv", $0)] } ?? [])
    }

    /// The distribution of an image's latents: mean and logarithm of the variance (within -30…20), not normalised.
    ///
    /// `image`: `[N, 3, H, W]` in -1…1, H and W multiples of ``AutoencoderKLConfiguration/downsampleFactor``.
    public func encode(_ image: Tensor) -> (mean: Tensor, logVariance: Tensor) {
        checkImage(image.shape)
        return withoutGradients {
            let isTiled = tiling.applies(height: image.shape[2], width: image.shape[3])
            let moments =
                isTiled
                ? self.moments(Variable(encoder.tiled(image, tileSize: tiling.tileSize))) : encode(Variable(image))
            releaseWeights(memory)
            return (moments.mean.value, moments.logVariance.value)
        }
    }

    /// The image `[N, 3, 8 h, 8 w]` of latents `[N, C, h, w]` that are not normalised; about -1…1, not clipped.
    public func decode(_ latents: Tensor) -> Tensor {
        checkLatents(latents.shape)
        let factor = configuration.downsampleFactor
        defer { releaseWeights(memory) }
        return withoutGradients {
            guard tiling.applies(height: factor * latents.shape[2], width: factor * latents.shape[3]) else {
                return decode(Variable(latents)).value
            }
            let input = latentConvolution?(Variable(latents)).value ?? latents
            return decoder.tiled(input, tileSize: tiling.tileSize)
        }
    }

    /// Like ``encode(_:)-(Tensor)``, recorded for gradients; never in tiles.
    public func encode(_ image: Variable) -> (mean: Variable, logVariance: Variable) {
        checkImage(image.shape)
        return moments(encoder(image))
    }

    private func moments(_ features: Variable) -> (mean: Variable, logVariance: Variable) {
        let moments = (momentsConvolution?(features) ?? features).split(into: 2, axis: 1)
        return (moments[0], moments[1].clamped(to: -30...20))
    }

    /// Like ``decode(_:)-(Tensor)``, recorded for gradients; never in tiles.
    public func decode(_ latents: Variable) -> Variable {
        checkLatents(latents.shape)
        return decoder(latentConvolution?(latents) ?? latents)
    }

    private func checkImage(_ shape: Shape) {
        let factor = configuration.downsampleFactor
        precondition(
            shape.rank == 4 && shape[1] == configuration.inChannels && shape[2] % factor == 0 && shape[3] % factor == 0,
            "image \(shape), not [N, \(configuration.inChannels), H, W] with H and W multiples of \(factor)")
    }

    private func checkLatents(_ shape: Shape) {
        precondition(
            shape.rank == 4 && shape[1] == configuration.latentChannels,
            "latents \(shape), not [N, \(configuration.latentChannels), h, w]")
    }

    /// `(x - shift) * scale`: latents as the diffusion model sees them.
    public func normalized(_ latents: Tensor) -> Tensor {
        (latents - configuration.shiftFactor) * configuration.scalingFactor
    }

    /// `x / scale + shift`: the inverse of ``normalized(_:)``.
    public func denormalized(_ latents: Tensor) -> Tensor {
        latents.affine(scale: 1 / configuration.scalingFactor, shift: configuration.shiftFactor)
    }
}

extension Variable {
    /// The nearest value inside `range`; no gradient flows where the value lay outside, and NaN stays.
    fileprivate func clamped(to range: ClosedRange<Float>) -> Variable {
        let low = Tensor(full: [1], range.lowerBound, dtype: dtype)
        let high = Tensor(full: [1], range.upperBound, dtype: dtype)
        let bounded = Variable.select(Tensor.comparing(.less, high, value), Variable(high), self)
        return Variable.select(Tensor.comparing(.less, value, low), Variable(low), bounded)
    }
}
