import Autograd
import Optimizers
import TensorCore

/// A small regression, the same as in the script beside the expected values of ``OptimizerReferenceTests``.
final class LeastSquares {
    let weight = Parameter(Tensor([0.5, -1, 2, 0.25, 0.75, -0.5] as [Float], [2, 3]), isTrained: true)
    let bias = Parameter(Tensor(zeros: [2]), isTrained: true)
    /// Never reached by a gradient.
    let idle = Parameter(Tensor([7] as [Float], [1]), isTrained: true)

    var parameters: [(name: String, parameter: Parameter)] { [("w", weight), ("b", bias), ("idle", idle)] }

    func loss() -> Variable {
        let x = Variable(Tensor([1, 2, -1, 0.5, -0.25, 1.5, -2, 1, 0.25] as [Float], [3, 3]))
        let y = Tensor([1, 0, 0, 2, -1, 1] as [Float], [3, 2])
        return x.linear(weight: weight.variable, bias: bias.variable).meanSquaredError(y)
    }

    /// One step; gives the loss before it.
    @discardableResult
    func step(_ optimizer: any Optimizer, learningRate: Float) -> Float {
        let loss = loss()
        loss.backward()
        optimizer.update(parameters, learningRate: learningRate)
        return loss.value.scalar
    }

    var values: [Float] { weight.value.floats + bias.value.floats }
}

/// The largest distance, relative to the larger of 1e-6 and the expected value.
func largestError(_ found: [Float], _ expected: [Float]) -> Float {
    precondition(found.count == expected.count)
    return zip(found, expected).map { abs($0 - $1) / max(abs($1), 1e-6) }.max() ?? 0
}
