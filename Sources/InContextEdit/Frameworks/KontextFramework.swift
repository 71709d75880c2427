public import Models
public import TensorCore
import TensorIO

/// FLUX.1 Kontext's framework (arXiv 2506.15742): the edited picture alone is generated, and the latents of the source stand
/// behind the noisy ones as tokens of their own, at the coordinates (1, row, column).
///
/// The source's latents are the mode of the autoencoder's posterior and the only random numbers are the noise, as in diffusers'
/// `FluxKontextPipeline`. Adapters of such a base are trained on pairs as those of a Fill model are.
public struct KontextFramework: EditFramework {
    /// `kontext`.
    public var name: FrameworkName { .kontext }
    /// The class of diffusers that works so.
    public var pipelineClass: String { "FluxKontextPipeline" }
    /// The default of Black Forest Labs' model card.
    public var defaultGuidance: Float { 2.5 }
    /// There is no diptych to speak of.
    public var promptForms: [PromptForm] { [.direct] }

    /// The framework has no settings.
    public init() {}

    /// The edit alone is on the canvas, whatever was chosen.
    public func panelLayout(
        _ choice: PanelLayoutChoice, panelWidth: Int, panelHeight: Int
    ) -> PanelLayout { .reference }

    /// Noise; the source stands in tokens.
    public func inputs(latentChannels: Int) -> (channels: Int, words: String) {
        (latentChannels * 4, "a Kontext model (noise, the source in tokens)")
    }

    /// The packed latents of the source alone.
    public func sourceLatents(_ diptych: Diptych, _ encoders: FrozenEncoders, drawing draw: Tensor?) throws -> Tensor {
        try encoders.packedLatents(diptych.source.tensor().unsqueezed(0), drawing: draw)
    }

    /// The source in tokens behind the noisy latents.
    public func conditioning(
        source: Tensor, text: Tensor, pooled: Tensor, guidance: Float, geometry: DiptychGeometry
    ) -> Conditioning {
        // The source is as large as the edited picture, so that its tokens have the same rows and columns.
        let count = geometry.tokenCount
        let places = geometry.imageIDs.sliced(axis: 1, 1..<3)
        let ids = Tensor.concatenated([Tensor(full: [count, 1], 1), places], axis: 1)
        return Conditioning(
            tokens: source, tokenIDs: ids, imageIDs: geometry.imageIDs, text: text, pooled: pooled, guidance: guidance)
    }

    /// Draws the noise; the source is the mode of its posterior.
    public func start(
        _ diptych: Diptych, _ encoders: FrozenEncoders, _ draws: NoiseDraws, seed: UInt64, precision: DType
    ) throws -> EditStart {
        var random = Random(seed: seed)
        let shape = diptych.geometry.latentShape(channels: encoders.vae.configuration.latentChannels)
        let noise = random.randn(shape, rounding: draws == .diffusers ? precision : .float32)
        return EditStart(
            noise: LatentPacking.pack(noise), source: try sourceLatents(diptych, encoders, drawing: nil))
    }
}
