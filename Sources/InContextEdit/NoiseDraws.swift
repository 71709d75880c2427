import TensorCore

/// What an edit takes from the random numbers of its seed: which program's pictures a seed gives.
///
/// All take PyTorch's CPU generator.
public enum NoiseDraws: String, Sendable, CaseIterable {
    /// What diffusers' pipeline takes. `FluxFillPipeline`, from version 0.33 on, and with it ICEdit's own scripts: a draw from
    /// the posterior of the whole canvas, which noise at full strength covers; then the noise; then a draw from the posterior of
    /// the masked canvas, which the model is given. `FluxKontextPipeline`: the noise. Noise has the type of the transformer's
    /// activations, the draws from posteriors that of the autoencoder's.
    case diffusers
    /// The noise alone, in `float32`; the model is given the mode of the source's posterior, as in training here.
    case noiseOnly = "noise-only"
}

extension Random {
    /// Normals as PyTorch gives them in a type: drawn in `float32`, rounded to `dtype`; given in `float32`.
    mutating func randn(_ shape: Shape, rounding dtype: DType) -> Tensor {
        randn(shape).converted(to: dtype).converted(to: .float32)
    }
}
