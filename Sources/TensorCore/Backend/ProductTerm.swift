/// One product of a sum of products.
public struct ProductTerm: Sendable {
    /// `[m, k]`, any strides.
    public var a: Tensor
    /// `[k, n]`.
    public var b: ProductFactor

    /// The product `a b`.
    public init(_ a: Tensor, _ b: ProductFactor) {
        precondition(
            a.rank == 2 && b.shape.rank == 2 && a.shape[1] == b.shape[0],
            "matrix product of shapes \(a.shape) and \(b.shape)")
        self.a = a
        self.b = b
    }

    /// The product `a b` with a plain `b` of any strides.
    public init(_ a: Tensor, _ b: Tensor) { self.init(a, .plain(b)) }

    /// The second factor as a tensor, for devices that do not multiply quantised numbers; see ``ProductFactor``.
    public var expandedFactor: Tensor {
        switch b {
        case .plain(let tensor): tensor
        case .quantized(let matrix): matrix.expanded(to: a.dtype == .bfloat16 ? .bfloat16 : .float32)
        }
    }
}

/// `a1 b1 + a2 b2 + ... (+ bias)`, summed in `float32` and rounded once: one of the sums that are computed together.
public struct ProductSum: Sendable {
    /// Products `[m, k_i] x [k_i, n]`, at least one.
    public var terms: [ProductTerm]
    /// `[n]`.
    public var bias: Tensor?
    /// The type of the result, `[m, n]`.
    public var dtype: DType

    /// Collects the sum.
    public init(_ terms: [ProductTerm], bias: Tensor? = nil, dtype: DType) {
        (self.terms, self.bias, self.dtype) = (terms, bias, dtype)
    }
}

/// The second factor of a product: a tensor, or a quantised matrix, of which a tile at a time is dequantised as the product
/// needs it.
///
/// Quantised numbers are rounded to `bfloat16` where the first factor is of that type, and taken as they are otherwise:
/// the product is that with ``QuantizedMatrix/expanded(to:)``, bit for bit.
public enum ProductFactor: Sendable {
    /// Any strides.
    case plain(Tensor)
    /// Blocks.
    case quantized(QuantizedMatrix)

    /// The extents.
    public var shape: Shape {
        switch self {
        case .plain(let tensor): tensor.shape
        case .quantized(let matrix): matrix.shape
        }
    }

    /// The same numbers with rows and columns exchanged: a view.
    public func transposed() -> ProductFactor {
        switch self {
        case .plain(let tensor): .plain(tensor.transposed())
        case .quantized(let matrix): .quantized(matrix.transposed())
        }
    }
}

/// A view of a quantised matrix: some of its columns, and perhaps transposed.
public struct QuantizedMatrix: Sendable {
    /// The stored matrix.
    public let tensor: QuantizedTensor
    /// Which of its columns are seen; they need not begin where blocks do.
    public let columns: Range<Int>
    /// Whether rows and columns are exchanged.
    public let isTransposed: Bool

    /// All of a matrix.
    public init(_ tensor: QuantizedTensor) {
        precondition(tensor.shape.rank == 2, "\(tensor.format) \(tensor.shape) as a matrix")
        self.init(tensor, 0..<tensor.shape[1], isTransposed: false)
    }

    private init(_ tensor: QuantizedTensor, _ columns: Range<Int>, isTransposed: Bool) {
        self.tensor = tensor
        self.columns = columns
        self.isTransposed = isTransposed
    }

    /// The extents of the view.
    public var shape: Shape {
        isTransposed ? [columns.count, tensor.shape[0]] : [tensor.shape[0], columns.count]
    }

    /// Rows and columns exchanged: a view.
    public func transposed() -> QuantizedMatrix { QuantizedMatrix(tensor, columns, isTransposed: !isTransposed) }

    /// A range of the columns of a matrix that is not transposed: a view.
    public func columns(_ range: Range<Int>) -> QuantizedMatrix {
        precondition(!isTransposed && range.upperBound <= columns.count, "columns \(range) of \(shape)")
        let start = columns.lowerBound
        return QuantizedMatrix(
            tensor, start + range.lowerBound..<start + range.upperBound, isTransposed: isTransposed)
    }

    /// All numbers as a tensor.
    public func expanded(to dtype: DType) -> Tensor {
        let seen = tensor.dequantized(to: dtype).sliced(axis: 1, columns)
        return isTransposed ? seen.transposed() : seen
    }
}
