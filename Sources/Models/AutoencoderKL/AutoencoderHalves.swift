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

    /// The same in tiles of `tileSize` rows of the image, unrecorded.
    func tiled(_ image: Tensor, tileSize: Int) -> Tensor {
        let tiling = StageTiling(image.shape, finest: stages[0], tileSize: tileSize)
        var rows: any RowSource = StoredRows(input(image, stages: ConvolutionStages()))
        for (level, stage) in stages.enumerated() {
            rows = tiling.run(stage, rows, level: level, dtype: image.dtype)
        }
        let features = middle(Variable(rows.rows(0..<rows.shape[2])))
        return output(features, norm: norm).value
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

    /// The same in tiles of `tileSize` rows of the image, unrecorded.
    func tiled(_ latents: Tensor, tileSize: Int) -> Tensor {
        let factor = 1 << (stages.count - 1)
        let size: Shape = [latents.shape[0], 0, factor * latents.shape[2], factor * latents.shape[3]]
        let tiling = StageTiling(size, finest: stages[stages.count - 1], tileSize: tileSize)
        var rows: any RowSource = StoredRows(middle(input(Variable(latents))).value)
        for (place, stage) in stages.enumerated() {
            rows = tiling.run(stage, rows, level: stages.count - 1 - place, dtype: latents.dtype)
        }
        return ConvolvedRows(rows, output, norm: norm, tile: tileSize).stored(tile: tileSize, dtype: latents.dtype)
    }
}

/// Which resolutions are worth tiles: those whose tensors are larger than what the finest keeps in any case.
private struct StageTiling {
    private let pixels: Int, bound: Int, tileSize: Int

    /// For an image of shape `[N, C, H, W]`.
    init(_ image: Shape, finest: AutoencoderStage, tileSize: Int) {
        pixels = image[0] * image[2] * image[3]
        bound = pixels * finest.outputChannels * 5 / 4
        self.tileSize = tileSize
    }

    /// `level` 0 is the finest resolution, each further one has half of its height and width.
    func run(_ stage: AutoencoderStage, _ x: any RowSource, level: Int, dtype: DType) -> any RowSource {
        if (pixels >> (2 * level)) * stage.elementsPerPixel > bound {
            return stage.tiled(x, tile: max(1, tileSize >> level), dtype: dtype)
        }
        return StoredRows(stage(Variable(x.rows(0..<x.shape[2]).contiguous())).value)
    }
}
