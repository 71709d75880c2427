public import Autograd
public import TensorCore

/// A table of vectors looked up by number.
public final class Embedding: Module {
    private let weight: Parameter

    /// Reads `weight` `[count, dimensions]`.
    public init(_ loader: WeightLoader, _ count: Int, _ dimensions: Int) {
        weight = loader.parameter("weight", [count, dimensions])
    }

    /// The table.
    public var parameters: [(name: String, parameter: Parameter)] { [("weight", weight)] }

    /// The vectors of `indices` (`int32`, any shape), in the table's type: `[indices…, dimensions]`.
    public func callAsFunction(_ indices: Tensor) -> Variable { weight.variable.gatheringRows(indices) }
}
