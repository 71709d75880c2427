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

    /// `joint` `[B, T + S, D]`, text first; `conditioning` `[B, D]`. The result has the same shape, or that of the tokens
    /// from `first` on where the others' results are not read: they are keys and values alone then.
    func callAsFunction(
        _ joint: Variable, conditioning: Variable, rotary: RotaryTable, resultsFrom first: Int = 0
    ) -> Variable {
        let m = modulation(conditioning.applying(.silu))  // shift, scale, gate
        let readsAll = attention.queriesReadEveryToken || projection.readsEveryToken || output.readsEveryToken
        let kept = (readsAll ? 0 : first)..<joint.shape[1]
        // Each activation is let go before the next is made, where no gradient will want it.
        func parts() -> [Variable] {
            let x = joint.modulated(scale: m[1], shift: m[0])
            let asked = x.sliced(axis: 1, kept).contiguous()
            return [attention(asked, over: x, rotary: rotary), projection(asked, activation: .geluTanh)]
        }
        let sum = output(joining: parts())
        return joint.sliced(axis: 1, kept).addingGated(sum, gate: m[2])
    }
}
