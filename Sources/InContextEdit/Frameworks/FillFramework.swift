public import Models
public import TensorCore
import TensorIO

/// ICEdit's framework (arXiv 2504.20690): a diptych with the source on one panel, whose other panel FLUX.1 [Fill] inpaints.
///
/// The model sees the latents of the canvas with its edited panel blanked, and the mask, in channels behind the noisy latents:
/// 64 + 64 + 256 of them (diffusers' `FluxFillPipeline`).
public struct FillFramework: EditFramework {
    /// `fill`.
    public var name: FrameworkName { .fill }
    /// The class of diffusers that works so.
    public var pipelineClass: String { "FluxFillPipeline" }
    /// The default of ICEdit's scripts.
    public var defaultGuidance: Float { 50 }
    /// All of them, ICEdit's sentence first.
    public var promptForms: [PromptForm] { [.inContext, .direct, .descriptive, .globalCaptions] }

    /// The framework has no settings.
    public init() {}

    /// The layout that was chosen: both panels share the canvas.
    public func panelLayout(
        _ choice: PanelLayoutChoice, panelWidth: Int, panelHeight: Int
    ) -> PanelLayout {
        choice.layout(panelWidth: panelWidth, panelHeight: panelHeight)
    }

    /// Noise, masked image and mask.
    public func inputs(latentChannels: Int) -> (channels: Int, words: String) {
        (2 * latentChannels * 4 + FluxConfiguration.maskChannels, "a Fill model (noise, masked image, mask)")
    }

    /// The packed latents of the canvas with its edited panel blanked.
    public func sourceLatents(_ diptych: Diptych, _ encoders: FrozenEncoders, drawing draw: Tensor?) throws -> Tensor {
        let canvas = diptych.geometry.blankingEdited(diptych.canvas.tensor().unsqueezed(0))
        return try encoders.packedLatents(canvas, drawing: draw)
    }

    /// The masked image and the mask in channels behind the noisy latents.
    public func conditioning(
        source: Tensor, text: Tensor, pooled: Tensor, guidance: Float, geometry: DiptychGeometry
    ) -> Conditioning {
        Conditioning(
            channels: geometry.maskedImageChannels(source), imageIDs: geometry.imageIDs, text: text, pooled: pooled,
            guidance: guidance)
    }

    /// Draws as `FluxFillPipeline` does, or the noise alone.
    public func start(
        _ diptych: Diptych, _ encoders: FrozenEncoders, _ draws: NoiseDraws, seed: UInt64, precision: DType
    ) throws -> EditStart {
        var random = Random(seed: seed)
        let shape = diptych.geometry.latentShape(channels: encoders.vae.configuration.latentChannels)
        switch draws {
        case .diffusers:
            // Nothing of the whole canvas's draw is left in the noise; only the generator goes on.
            _ = random.randn(shape)
            let noise = random.randn(shape, rounding: precision)
            let draw = random.randn(shape).converted(to: encoders.options.vaeType)
            return EditStart(
                noise: LatentPacking.pack(noise), source: try sourceLatents(diptych, encoders, drawing: draw))
        case .noiseOnly:
            return EditStart(
                noise: LatentPacking.pack(random.randn(shape)),
                source: try sourceLatents(diptych, encoders, drawing: nil))
        }
    }
}

extension DiptychGeometry {
    /// Masked-image latents `[B, tokens, 64]` with the mask behind them, `[B, tokens, 64 + 256]`.
    func maskedImageChannels(_ maskedLatents: Tensor) -> Tensor {
        let mask = packedMask.unsqueezed(0).expanded(to: [
            maskedLatents.shape[0], tokenCount, FluxConfiguration.maskChannels,
        ])
        return Tensor.concatenated([maskedLatents, mask.contiguous()], axis: 2)
    }

    /// The mask as the transformer sees it, `[tokens, 256]`: its 8 x 8 pixels unshuffled into channels, then 2 x 2
    /// latents packed. The mask is 0 on the source and 1 on the edited panel, so each token is all of one kind.
    public var packedMask: Tensor {
        precondition(panelLayout != .reference, "a mask for a canvas without its source")
        let count = panelLayout == .beside ? tokenColumns : tokenRows
        let isEdited = Tensor((0..<count).map { Float($0 < count / 2 ? 0 : 1) }, [count])
        return isEdited.reshaped(to: panelLayout == .beside ? [1, count, 1] : [count, 1, 1])
            .expanded(to: [tokenRows, tokenColumns, FluxConfiguration.maskChannels]).contiguous()
            .reshaped(to: [tokenCount, FluxConfiguration.maskChannels])
    }

    /// Canvases with their edited panel blanked, which is 0: grey in `[-1, 1]`.
    public func blankingEdited(_ canvas: Tensor) -> Tensor {
        panel(.source, of: canvas).padded(
            low: [0, 0, 0, 0], high: [0, 0, canvasHeight - panelHeight, canvasWidth - panelWidth])
    }
}
