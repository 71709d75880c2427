import Autograd
import NeuralNet
import TensorCore

/// From an image to the moments of its latent, mean and logarithm of the variance joined along the channels.
final class AutoencoderEncoder: Module {
    private let input: Conv2D
    private let stages: [AutoencoderStage]
    private let middle: AutoencoderMiddle
    private let norm: GroupNorm
    private let output: Conv2D

    init(_ configuration: AutoencoderKLConfiguration, _ loader: WeightLoader) {
        let (channels, groups) = (configuration.blockOutChannels, configuration.normNumGroups)
        let same = ConvolutionOptions(padding: 1)
        let coarsest = channels[channels.count - 1]
        input = Conv2D(loader.scoped("conv_in"), configuration.inChannels, channels[0], kernel: 3, options: same)
        stages = channels.indices.map {
            AutoencoderStage(
                loader.scoped("down_blocks", $0), .down, channels[max($0 - 1, 0)], channels[$0],
                count: configuration.layersPerBlock, groups: groups, isLast: $0 == channels.count - 1)
        }
        middle = AutoencoderMiddle(
            loader.scoped("mid_block"), channels: coarsest, groups: groups,
            hasAttention: configuration.midBlockAddAttention)
        norm = GroupNorm(
            loader.scoped("conv_norm_out"), groups: groups, channels: coarsest, epsilon: autoencoderNormEpsilon)
        output = Conv2D(
            loader.scoped("conv_out"), coarsest, 2 * configuration.latentChannels, kernel: 3, options: same)
    }

    var children: [(name: String, module: any Module)] {
        [("conv_in", input)] + stages.enumerated().map { ("down_blocks.\($0.offset)", $0.element) }
            + [("mid_block", middle), ("conv_norm_out", norm), ("conv_out", output)]
    }

    /// `[N, in, H, W]` to `[N, 2 latent, H / f, W / f]`.
    func callAsFunction(_ image: Variable) -> Variable {
        let features = middle(stages.reduce(input(image)) { $1($0) })
        return output(features, norm: norm)
    }
}

/// From a latent to an image: the encoder's mirror image, with one more residual block at each resolution.
final class AutoencoderDecoder: Module {
    private let input: Conv2D
    private let middle: AutoencoderMiddle
    private let stages: [AutoencoderStage]
    private let norm: GroupNorm
    private let output: Conv2D

    init(_ configuration: AutoencoderKLConfiguration, _ loader: WeightLoader) {
        let (channels, groups) = (Array(configuration.blockOutChannels.reversed()), configuration.normNumGroups)
        let same = ConvolutionOptions(padding: 1)
        let finest = channels[channels.count - 1]
        input = Conv2D(loader.scoped("conv_in"), configuration.latentChannels, channels[0], kernel: 3, options: same)
        middle = AutoencoderMiddle(
            loader.scoped("mid_block"), channels: channels[0], groups: groups,
            hasAttention: configuration.midBlockAddAttention)
        stages = channels.indices.map {
            AutoencoderStage(
                loader.scoped("up_blocks", $0), .up, channels[max($0 - 1, 0)], channels[$0],
                count: configuration.layersPerBlock + 1, groups: groups, isLast: $0 == channels.count - 1)
        }
        norm = GroupNorm(
            loader.scoped("conv_norm_out"), groups: groups, channels: finest, epsilon: autoencoderNormEpsilon)
        output = Conv2D(loader.scoped("conv_out"), finest, configuration.outChannels, kernel: 3, options: same)
    }

    var children: [(name: String, module: any Module)] {
        [("conv_in", input), ("mid_block", middle)]
            + stages.enumerated().map { ("up_blocks.\($0.offset)", $0.element) }
            + [("conv_norm_out", norm), ("conv_out", output)]
    }

    /// `[N, latent, h, w]` to `[N, out, f h, f w]`.
    func callAsFunction(_ latents: Variable) -> Variable {
        let features = stages.reduce(middle(input(latents))) { $1($0) }
        return output(features, norm: norm)
    }
}
