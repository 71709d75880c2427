import Autograd
import NeuralNet
import TensorCore

/// A block in which image and text have weights of their own and meet in the attention: diffusers' `FluxTransformerBlock`
/// (MM-DiT, Esser et al. 2024).
final class DoubleStreamBlock: Module {
    private let imageModulation: Modulation
    private let textModulation: Modulation
    private let attention: JointAttention
    private let imageFeedForward: FeedForward
    private let textFeedForward: FeedForward

    init(_ configuration: FluxConfiguration, _ loader: WeightLoader) {
        let width = configuration.innerDimension
        imageModulation = Modulation(loader.scoped("norm1"), width, count: 6)
        textModulation = Modulation(loader.scoped("norm1_context"), width, count: 6)
        attention = JointAttention(configuration, loader.scoped("attn"))
        imageFeedForward = FeedForward(loader.scoped("ff"), width)
        textFeedForward = FeedForward(loader.scoped("ff_context"), width)
    }

    var children: [(name: String, module: any Module)] {
        [
            ("norm1", imageModulation), ("norm1_context", textModulation), ("attn", attention),
            ("ff", imageFeedForward), ("ff_context", textFeedForward),
        ]
    }

    /// What is to be computed of the conditioning before the block.
    var modulations: [Modulation] { [imageModulation, textModulation] }

    /// `image` `[B, S, D]`, `text` `[B, T, D]`, `modulation`: what ``modulations`` gave; image and text come back.
    func callAsFunction(
        image: Variable, text: Variable, modulation: [Variable], rotary: RotaryTable
    ) -> (image: Variable, text: Variable) {
        // Order of the six: shift, scale, gate of the attention, then of the feed-forward part.
        let (m, n) = (imageModulation.vectors(modulation[0]), textModulation.vectors(modulation[1]))
        // What the attention found is let go before the feed-forward parts begin.
        func attended() -> (image: Variable, text: Variable) {
            let found = attention(
                image: image.modulated(scale: m[1], shift: m[0]), text: text.modulated(scale: n[1], shift: n[0]),
                rotary: rotary)
            return (image.addingGated(found.image, gate: m[2]), text.addingGated(found.text, gate: n[2]))
        }
        let (x, y) = attended()
        return (
            imageFeedForward.added(to: x, shift: m[3], scale: m[4], gate: m[5]),
            textFeedForward.added(to: y, shift: n[3], scale: n[4], gate: n[5])
        )
    }
}
