import Autograd
import NeuralNet
import TensorCore

/// The shifts, scales and gates that the conditioning gives a block (adaptive layer norm, Peebles and Xie 2023).
final class Modulation: Module {
    private let linear: Linear
    private let count: Int

    /// Reads `linear`, which gives `count` vectors of `dimensions`.
    init(_ loader: WeightLoader, _ dimensions: Int, count: Int) {
        linear = Linear(loader.scoped("linear"), dimensions, count * dimensions)
        self.count = count
    }

    var children: [(name: String, module: any Module)] { [("linear", linear)] }

    /// What several modulations make of the conditioning `[B, D]`: for each, all its vectors joined, `[B, count D]`.
    ///
    /// The products run together, and the conditioning is activated once for all: the gradients of all uses meet behind
    /// it, so that their sum has one order whether the caller is checkpointed or not.
    static func joined(_ modulations: [Modulation], of conditioning: Variable) -> [Variable] {
        Linear.together(modulations.map(\.linear), of: conditioning.applying(.silu))
    }

    /// The `count` vectors, each `[B, 1, D]`.
    func vectors(_ joined: Variable) -> [Variable] { joined.unsqueezed(1).split(into: count, axis: -1) }
}

/// Where the parts of a model get their modulation from: all at once before the first of them, so that it is one launch
/// and a part that is checkpointed does not compute its own again; or, where weights are given back because memory is
/// short, each part when it is entered: the modulations are a quarter of FLUX's weights, and to read all of them first
/// would be to read them twice. The numbers are the same.
struct ModulationSource {
    private let conditioning: Variable
    /// What each part's modulations give; nil where each computes its own.
    private let ahead: [[Variable]]?

    /// `parts`: the modulations of each part of the model; `conditioning` `[B, D]`.
    init(_ parts: [[Modulation]], of conditioning: Variable, _ memory: MemoryPolicy) {
        self.conditioning = conditioning
        if memory.releasesWeights {
            ahead = nil
            return
        }
        var joined = Modulation.joined(parts.flatMap { $0 }, of: conditioning)[...]
        ahead = parts.map { part in
            defer { joined = joined.dropFirst(part.count) }
            return Array(joined.prefix(part.count))
        }
    }

    /// What the part of a number depends on, and how it makes of that what its modulations give, `[B, count D]` each.
    func part(_ index: Int, _ modulations: [Modulation]) -> (inputs: [Variable], read: ([Variable]) -> [Variable]) {
        if let ahead { return (ahead[index], { $0 }) }
        return ([conditioning], { Modulation.joined(modulations, of: $0[0]) })
    }
}

extension Variable {
    /// `layerNorm(x) (1 + scale) + shift`, the norm without parameters of its own.
    func modulated(scale: Variable, shift: Variable) -> Variable {
        modulatedNorm(scale: scale, shift: shift, epsilon: 1e-6)
    }
}

/// Linear, GELU (tanh), linear; four times as wide inside.
final class FeedForward: Module {
    private let projection: Linear
    private let output: Linear

    init(_ loader: WeightLoader, _ dimensions: Int) {
        projection = Linear(loader.scoped("net.0.proj"), dimensions, 4 * dimensions)
        output = Linear(loader.scoped("net.2"), 4 * dimensions, dimensions)
    }

    var children: [(name: String, module: any Module)] { [("net.0.proj", projection), ("net.2", output)] }

    /// `x` `[B, S, D]` and, gated, what the part makes of its modulated norm.
    func added(to x: Variable, shift: Variable, scale: Variable, gate: Variable) -> Variable {
        let readsAll = projection.readsEveryToken || output.readsEveryToken
        let chunks = chunkCount(x, width: projection.outputDimensions, needingAll: readsAll)
        return inChunks(chunks, [x]) { chunk in
            let x = chunk[0]
            let hidden = projection(x.modulated(scale: scale, shift: shift), activation: .geluTanh)
            return x.addingGated(output(hidden), gate: gate)
        }
    }
}
