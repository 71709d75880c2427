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

    /// `activated`: SiLU of the conditioning, `[B, D]`. Gives `count` vectors, each `[B, 1, D]`.
    func callAsFunction(_ activated: Variable) -> [Variable] {
        linear(activated).unsqueezed(1).split(into: count, axis: -1)
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
        let bands = bandCount(x, width: projection.outputDimensions, needingAll: readsAll)
        return inBands(bands, [x]) { band in
            let x = band[0]
            let hidden = projection(x.modulated(scale: scale, shift: shift), activation: .geluTanh)
            return x.addingGated(output(hidden), gate: gate)
        }
    }
}
