import Autograd
import NeuralNet
import TensorCore

/// The residual blocks of one resolution, then a change of resolution unless it is the last.
///
/// Follows `DownEncoderBlock2D` and `UpDecoderBlock2D` (`diffusers/models/unets/unet_2d_blocks.py`).
final class AutoencoderStage: Module {
    enum Direction { case down, up }

    private let direction: Direction
    /// Channels of what comes in and of what goes out.
    let inputChannels: Int, outputChannels: Int
    private let resnets: [AutoencoderResnet]
    private let resampler: Conv2D?

    init(
        _ loader: WeightLoader, _ direction: Direction, _ inputChannels: Int, _ outputChannels: Int, count: Int,
        groups: Int, isLast: Bool
    ) {
        self.direction = direction
        (self.inputChannels, self.outputChannels) = (inputChannels, outputChannels)
        resnets = (0..<count).map {
            AutoencoderResnet(
                loader.scoped("resnets", $0), $0 == 0 ? inputChannels : outputChannels, outputChannels, groups: groups)
        }
        // Down: the window's far side alone is padded, as the original TensorFlow code did.
        let options =
            direction == .down
            ? ConvolutionOptions(stride: 2, padding: 0, paddingHigh: 1) : ConvolutionOptions(padding: 1)
        resampler =
            isLast
            ? nil
            : Conv2D(
                loader.scoped(Self.resamplerName(direction)), outputChannels, outputChannels, kernel: 3,
                options: options)
    }

    private static func resamplerName(_ direction: Direction) -> String {
        direction == .down ? "downsamplers.0.conv" : "upsamplers.0.conv"
    }

    var children: [(name: String, module: any Module)] {
        resnets.enumerated().map { ("resnets.\($0.offset)", $0.element) }
            + (resampler.map { [(Self.resamplerName(direction), $0)] } ?? [])
    }

    /// `[N, in, H, W]` to `[N, out, H / 2, W / 2]`, `[N, out, 2 H, 2 W]` or, for the last, `[N, out, H, W]`.
    func callAsFunction(_ x: Variable) -> Variable {
        let features = resnets.reduce(x) { $1($0) }
        guard let resampler else { return features }
        return resampler(features, upsampling: direction == .down ? 1 : 2)
    }

    /// The most elements for each pixel of this resolution that the tensors of a residual block hold together.
    var elementsPerPixel: Int { inputChannels + 3 * outputChannels }

    /// The same for rows on demand; what it gives has been stored, save for an up-sampling at the end.
    func tiled(_ x: any RowSource, tile: Int, dtype: DType) -> any RowSource {
        var features = x
        for resnet in resnets { features = resnet.tiled(features, tile: tile, dtype: dtype) }
        guard let resampler else { return features }
        switch direction {
        case .up: return ConvolvedRows(features, resampler, upsampling: 2, tile: tile)
        case .down: return StoredRows(ConvolvedRows(features, resampler, tile: tile).stored(tile: tile, dtype: dtype))
        }
    }
}

/// Two residual blocks at the coarsest resolution with an attention between them (`UNetMidBlock2D`).
final class AutoencoderMiddle: Module {
    private let first: AutoencoderResnet
    private let attention: AutoencoderAttention?
    private let second: AutoencoderResnet

    init(_ loader: WeightLoader, channels: Int, groups: Int, hasAttention: Bool) {
        first = AutoencoderResnet(loader.scoped("resnets", 0), channels, channels, groups: groups)
        attention =
            hasAttention
            ? AutoencoderAttention(loader.scoped("attentions", 0), channels: channels, groups: groups) : nil
        second = AutoencoderResnet(loader.scoped("resnets", 1), channels, channels, groups: groups)
    }

    var children: [(name: String, module: any Module)] {
        (attention.map { [("attentions.0", $0)] } ?? []) + [("resnets.0", first), ("resnets.1", second)]
    }

    /// `[N, C, H, W]` to the same shape.
    func callAsFunction(_ x: Variable) -> Variable {
        let features = first(x)
        return second(attention?(features) ?? features)
    }
}
