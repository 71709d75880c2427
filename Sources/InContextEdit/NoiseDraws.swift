import TensorCore

/// What an edit takes from the random numbers of its seed: which program's pictures a seed gives.
///
/// All take PyTorch's CPU generator.
public enum NoiseDraws: String, Sendable, CaseIterable {
    /// What diffusers' `FluxFillPipeline` takes, from version 0.33 on, and with it ICEdit's own scripts: a draw from the
    /// posterior of the whole canvas, which noise at full strength covers; then the noise; then a draw from the posterior of
    /// the masked canvas, which the model is told. Noise has the type of the transformer's activations, the draws from
    /// posteriors that of the autoencoder's.
    case diffusers
    /// The noise alone, in `float32`; the model is told the mode of the masked canvas's posterior, as in training here.
    case noiseOnly = "noise-only"
}

/// What an edit begins with.
struct EditStart {
    /// Packed noise, `[1, tokens, 64]`, `float32`.
    let noise: Tensor
    /// What the model is told of the picture, `[1, tokens, 320]`.
    let condition: Tensor
}

extension FillPipeline {
    /// Draws noise and encodes the picture; see ``NoiseDraws``. `precision` is the type of the transformer's activations.
    ///
    /// Throws ``FileError`` when the autoencoder gives numbers that are not finite.
    func start(_ diptych: Diptych, _ draws: NoiseDraws, seed: UInt64, precision: DType) throws -> EditStart {
        var random = Random(seed: seed)
        let shape = diptych.geometry.latentShape(channels: latentChannels)
        switch draws {
        case .diffusers:
            // Nothing of the whole canvas's draw is left in the noise; only the generator goes on.
            _ = random.randn(shape)
            // PyTorch rounds its normals to the type that is asked for.
            let noise = random.randn(shape).converted(to: precision).converted(to: .float32)
            let draw = random.randn(shape).converted(to: encoders.vaeType)
            return EditStart(
                noise: LatentPacking.pack(noise), condition: try frozenEncoders.condition(diptych, drawing: draw))
        case .noiseOnly:
            return EditStart(noise: LatentPacking.pack(random.randn(shape)), condition: try condition(diptych))
        }
    }
}
