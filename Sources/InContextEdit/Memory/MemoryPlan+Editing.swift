public import Models
public import TensorCore

extension MemoryPlan {
    /// An edit: text, image, sampling, image.
    public static func editing(
        _ weights: FrozenWeights, flux: FluxConfiguration, t5: T5Configuration, vae: AutoencoderKLConfiguration,
        geometry: DiptychGeometry, textLength: Int, precision: DType, encoders: EncoderOptions, adapterBytes: Int,
        isStreamed: Bool
    ) -> MemoryPlan {
        let image = MemoryEstimate.imageCoding(
            vae, height: geometry.canvasHeight, width: geometry.canvasWidth, encoders.vaeType, tiling: encoders.tiling)
        func item(_ bytes: Int) -> Item { Item("activations", bytes) }
        let vaePages = Item(weightsName, weights.vaePages(isStreamed: isStreamed))
        return MemoryPlan(
            always: [
                Item("program", MemoryEstimate.program), Item("converted weights", weights.ownedByteCount),
                Item("adapter", adapterBytes),
            ],
            phases: [
                Phase(
                    "text",
                    [
                        Item(weightsName, weights.textPages(isStreamed: isStreamed)),
                        item(MemoryEstimate.textEncoding(t5, length: textLength, encoders.textType)),
                    ]),
                Phase("image to latents", [vaePages, item(image)]),
                Phase(
                    "sampling",
                    [
                        Item(weightsName, weights.transformerPages(isStreamed: isStreamed)),
                        item(
                            MemoryEstimate.sampling(
                                flux, tokens: geometry.pairTokenCount + textLength, batch: 1, precision)),
                    ]),
                Phase("latents to image", [vaePages, item(image)]),
            ])
    }
}
