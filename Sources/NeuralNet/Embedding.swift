public import Autograd
public import TensorCore

/// A table of vectors looked up by number.
public final class Embedding: Module {
    private let weight: Parameter

    /// Reads `weight` `[count, dimensions]`, which stays quantised where its file has it so.
    public init(_ loader: WeightLoader, _ count: Int, _ dimensions: Int) {
        weight = loader.weight("weight", [count, dimensions])
    }

    /// The table.
    public var parameters: [(name: String, parameter: Parameter)] { [("weight", weight)] }

    /// The vectors of `indices` (`int32`, any shape), in the table's type or, where it is quantised, in
    /// `Parameter.expandedType`: `[indices…, dimensions]`.
    public func callAsFunction(_ indices: Tensor) -> Variable {
        switch weight.stored {
        case .plain: weight.variable.gatheringRows(indices)
        case .quantized(let table): Variable(table.gatheringRows(indices, dtype: Parameter.expandedType))
        }
    }
}
