/// A weight as its file holds it: a tensor, or blocks that a product dequantises on the way.
public enum StoredTensor: Sendable {
    /// Numbers of a ``DType``.
    case plain(Tensor)
    /// Numbers in blocks.
    case quantized(QuantizedTensor)

    /// The extents, outermost first.
    public var shape: Shape {
        switch self {
        case .plain(let tensor): tensor.shape
        case .quantized(let tensor): tensor.shape
        }
    }

    /// A range along the first axis: a view.
    public func rows(_ range: Range<Int>) -> StoredTensor {
        switch self {
        case .plain(let tensor): .plain(tensor.sliced(axis: 0, range))
        case .quantized(let tensor): .quantized(tensor.rows(range))
        }
    }

    /// The same numbers in another shape.
    public func reshaped(to shape: Shape) -> StoredTensor {
        switch self {
        case .plain(let tensor): .plain(tensor.reshaped(to: shape.dimensions))
        case .quantized(let tensor): .quantized(tensor.reshaped(to: shape))
        }
    }

    /// The halves along the first axis in the other order: a copy of the bytes.
    public func withHalvesSwapped() -> StoredTensor {
        let (count, half) = (shape[0], shape[0] / 2)
        return switch self {
        case .plain(let tensor):
            .plain(
                Tensor.concatenated(
                    [tensor.sliced(axis: 0, half..<count), tensor.sliced(axis: 0, 0..<half)], axis: 0))
        case .quantized(let tensor):
            .quantized(.concatenatedRows([tensor.rows(half..<count), tensor.rows(0..<half)]))
        }
    }

    /// The tensor itself where it is plain, and all numbers in `dtype` where it is not.
    public func expanded(to dtype: DType) -> Tensor {
        switch self {
        case .plain(let tensor): tensor
        case .quantized(let tensor): tensor.dequantized(to: dtype)
        }
    }
}
