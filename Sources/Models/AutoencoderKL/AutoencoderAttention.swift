import Autograd
import NeuralNet
import TensorCore

/// Attention with a single head over all pixels, added to its input: the middle of encoder and decoder.
///
/// Follows `Attention` with `residual_connection` (`diffusers/models/attention_processor.py`). Files of older versions
/// name the projections `query`, `key`, `value` and `proj_attn`; they are read under the newer names.
final class AutoencoderAttention: Module {
    private let norm: GroupNorm
    private let query: Linear
    private let key: Linear
    private let value: Linear
    private let output: Linear

    init(_ loader: WeightLoader, channels: Int, groups: Int) {
        norm = GroupNorm(
            loader.scoped("group_norm"), groups: groups, channels: channels, epsilon: autoencoderNormEpsilon)
        let names =
            loader.contains("query.weight")
            ? ["query", "key", "value", "proj_attn"] : ["to_q", "to_k", "to_v", "to_out.0"]
        let projections = names.map { Linear(loader.scoped($0), channels, channels) }
        (query, key, value, output) = (projections[0], projections[1], projections[2], projections[3])
    }

    var children: [(name: String, module: any Module)] {
        [("group_norm", norm), ("to_q", query), ("to_k", key), ("to_v", value), ("to_out.0", output)]
    }

    /// `[N, C, H, W]` to the same shape.
    func callAsFunction(_ x: Variable) -> Variable {
        let (batch, channels, height, width) = (x.shape[0], x.shape[1], x.shape[2], x.shape[3])
        let pixels = norm(x).reshaped(to: [batch, channels, height * width]).transposed().contiguous()
        func head(_ projection: Linear) -> Variable {
            projection(pixels).reshaped(to: [batch, height * width, 1, channels])
        }
        let attended = Variable.attention(
            head(query), head(key), head(value), options: AttentionOptions(scale: 1 / Float(channels).squareRoot()))
        let update = output(attended.reshaped(to: [batch, height * width, channels]))
        return x + update.transposed().reshaped(to: [batch, channels, height, width])
    }
}
