import Autograd
import NeuralNet
import TensorCore

/// A block over the joint sequence with attention and feed-forward part side by side: diffusers'
/// `FluxSingleTransformerBlock` (parallel layers after Dehghani et al. 2023).
final class SingleStreamBlock: Module {
    private let modulation: Modulation
    private let attention: SingleAttention
    private let projection: Linear
    private let output: Linear

    init(_ configuration: FluxConfiguration, _ loader: WeightLoader) {
        let width = configuration.innerDimension
        modulation = Modulation(loader.scoped("norm"), width, count: 3)
        attention = SingleAttention(configuration, loader.scoped("attn"))
        projection = Linear(loader.scoped("proj_mlp"), width, 4 * width)
        output = Linear(loader.scoped("proj_out"), 5 * width, width)
    }

    var children: [(name: String, module: any Module)] {
        [("norm", modulation), ("proj_mlp", projection), ("proj_out", output), ("attn", attention)]
    }

    /// What is to be computed of the conditioning before the block.
    var modulations: [Modulation] { [modulation] }

    /// `joint` `[B, T + S, D]`, text first; `joined`: what ``modulations`` gave. The result has the same shape, or that of
    /// the tokens from `first` on where the others' results are not read: they are keys and values alone then.
    func callAsFunction(
        _ joint: Variable, modulation joined: [Variable], rotary: RotaryTable, resultsFrom first: Int = 0
    ) -> Variable {
        let m = modulation.vectors(joined[0])  // shift, scale, gate
        let readsAll = attention.queriesReadEveryToken || projection.readsEveryToken || output.readsEveryToken
        let kept = (readsAll ? 0 : first)..<joint.shape[1]
        let tokens = joint.sliced(axis: 1, kept)
        func modulated(_ x: Variable) -> Variable { x.modulated(scale: m[1], shift: m[0]) }
        func ended(_ tokens: Variable, attended: Variable, modulated x: Variable) -> Variable {
            let sum = output(joining: [attended, projection(x, activation: .geluTanh)])
            return tokens.addingGated(sum, gate: m[2])
        }
        let x = modulated(joint)
        let asked = x.sliced(axis: 1, kept).contiguous()
        let chunks = chunkCount(tokens, width: projection.outputDimensions, needingAll: readsAll)
        if chunks == 1 {
            return ended(tokens, attended: attention(asked, over: x, rotary: rotary), modulated: asked)
        }
        // The norm is cheaper to compute again, chunk by chunk, than to keep through the attention.
        let attended = attention(consume asked, over: consume x, rotary: rotary)
        return inChunks(chunks, [tokens, attended]) { chunk in
            ended(chunk[0], attended: chunk[1], modulated: modulated(chunk[0]))
        }
    }
}
