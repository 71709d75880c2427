public import Autograd
public import Models
public import TensorCore
import TensorIO

extension FluxTransformer {
    /// The velocity of a Fill model for noisy packed latents `[B, tokens, 64]` under conditions `[B, tokens, 320]`,
    /// text `[B, T, d]`, pooled text `[B, p]`, times `[B]` and guidance; computed in `precision`, given in `float32`.
    public func velocity(
        _ noisy: Tensor, condition: Tensor, text: Tensor, pooled: Tensor, time: Tensor, guidance: Float,
        geometry: DiptychGeometry, precision: DType
    ) -> Variable {
        let input = FluxInput(
            latents: Variable(Tensor.concatenated([noisy, condition], axis: 2).converted(to: precision)),
            text: Variable(text.converted(to: precision)), pooled: Variable(pooled.converted(to: precision)),
            timestep: time,
            guidance: configuration.guidanceEmbeds ? Tensor(full: time.shape, guidance) : nil,
            imageIDs: geometry.imageIDs,
            textIDs: Tensor(zeros: [text.shape[1], 3]))
        return self(input).converted(to: .float32)
    }

    /// Throws ``FileError`` unless the model takes noise, a masked image and a mask, as FLUX.1 [Fill] does, of latents
    /// with so many channels; `parts` say where it came from.
    public func requireFill(latentChannels: Int, _ parts: PipelineParts) throws {
        let side = DiptychGeometry.latentSide
        let expected = 2 * latentChannels * 4 + side * side * 4
        guard configuration.inChannels == expected else {
            let variant = configuration.variant.map { ", that of \($0)" } ?? ""
            throw FileError(
                parts.transformer ?? parts.folder,
                key: parts.transformer == nil ? "transformer/config.json: in_channels" : nil,
                expected: "\(expected) input channels for a Fill model (noise, masked image, mask)",
                found: "\(configuration.inChannels)\(variant)")
        }
    }
}
