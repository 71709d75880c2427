public import TensorCore

/// A file, or a set of files, that holds named tensors.
public protocol TensorArchive {
    /// What to call the archive in errors: a path.
    var path: String { get }
    /// The names of all tensors, in the order of the file.
    var names: [String] { get }
    /// Type and shape of a tensor without reading it; nil when there is none of that name.
    func info(_ name: String) -> TensorInfo?
    /// Reads a tensor, mapped from the file where the format allows it; quantised ones are dequantised to `float32`.
    func tensor(_ name: String) throws -> Tensor
    /// A tensor as it is stored: mapped where the format allows it, quantised ones in their blocks.
    func stored(_ name: String) throws -> StoredTensor
    /// A text of the file's metadata; nil where there is none of this key.
    func metadataText(_ key: String) -> String?
}

extension TensorArchive {
    /// For archives without quantised tensors.
    public func stored(_ name: String) throws -> StoredTensor { .plain(try tensor(name)) }

    /// For archives without metadata.
    public func metadataText(_ key: String) -> String? { nil }
}

/// Type and shape of a stored tensor.
public struct TensorInfo: Hashable, Sendable {
    /// The element type; `float32` for a quantised tensor, as which ``TensorArchive/tensor(_:)`` gives it.
    public var dtype: DType
    /// The extents.
    public var shape: Shape
    /// How a quantised tensor is stored; nil for all others.
    public var quantization: QuantizationFormat?

    /// Joins a type and a shape.
    public init(dtype: DType, shape: Shape) {
        self.dtype = dtype
        self.shape = shape
    }

    /// A quantised tensor.
    public init(quantization: QuantizationFormat, shape: Shape) {
        dtype = .float32
        self.shape = shape
        self.quantization = quantization
    }

    /// The type's name as it is stored: that of the format for a quantised tensor.
    public var typeName: String { quantization?.rawValue ?? dtype.rawValue }
}
