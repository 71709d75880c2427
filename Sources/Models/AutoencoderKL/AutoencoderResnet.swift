import Autograd
import NeuralNet
import TensorCore

/// The constants that all norms of the autoencoder share (`diffusers/models/autoencoders/vae.py`).
let autoencoderNormEpsilon: Float = 1e-6

/// `x + conv2(silu(norm2(conv1(silu(norm1(x))))))`, `x` through a 1 x 1 convolution where the channels change.
///
/// Follows `ResnetBlock2D` without a time embedding (`diffusers/models/resnet.py`).
final class AutoencoderResnet: Module {
    private let norm1: GroupNorm
    private let conv1: Conv2D
    private let norm2: GroupNorm
    private let conv2: Conv2D
    private let shortcut: Conv2D?

    init(_ loader: WeightLoader, _ inputChannels: Int, _ outputChannels: Int, groups: Int) {
        let same = ConvolutionOptions(padding: 1)
        norm1 = GroupNorm(
            loader.scoped("norm1"), groups: groups, channels: inputChannels, epsilon: autoencoderNormEpsilon)
        conv1 = Conv2D(loader.scoped("conv1"), inputChannels, outputChannels, kernel: 3, options: same)
        norm2 = GroupNorm(
            loader.scoped("norm2"), groups: groups, channels: outputChannels, epsilon: autoencoderNormEpsilon)
        conv2 = Conv2D(loader.scoped("conv2"), outputChannels, outputChannels, kernel: 3, options: same)
        shortcut =
            inputChannels == outputChannels
            ? nil : Conv2D(loader.scoped("conv_shortcut"), inputChannels, outputChannels, kernel: 1)
    }

    var children: [(name: String, module: any Module)] {
        [("norm1", norm1), ("conv1", conv1), ("norm2", norm2), ("conv2", conv2)]
            + (shortcut.map { [("conv_shortcut", $0)] } ?? [])
    }

    /// `[N, in, H, W]` to `[N, out, H, W]`.
    func callAsFunction(_ x: Variable) -> Variable {
        conv2(conv1(x, norm: norm1), norm: norm2, residual: shortcut?(x) ?? x)
    }

    /// The same for rows on demand: all of them are put in place of those of `x` where it is stored and has the same
    /// shape, otherwise stored anew.
    func tiled(_ x: any RowSource, tile: Int, dtype: DType) -> StoredRows {
        let inner = ConvolvedRows(x, conv1, norm: norm1, tile: tile)
        let direct: any RowSource = shortcut.map { ConvolvedRows(x, $0, tile: tile) } ?? x
        let result = ConvolvedRows(inner, conv2, norm: norm2, residual: direct, tile: tile)
        if shortcut == nil, let stored = x as? StoredRows {
            stored.overwrite(by: result, tile: tile)
            return stored
        }
        return StoredRows(result.stored(tile: tile, dtype: dtype))
    }
}
