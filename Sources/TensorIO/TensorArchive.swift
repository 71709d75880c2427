public import TensorCore

/// A file, or a set of files, that holds named tensors.
public protocol TensorArchive {
    /// What to call the archive in errors: a path.
    var path: String { get }
    /// The names of all tensors, in the order of the file.
    var names: [String] { get }
    /// Type and shape of a tensor without reading it; nil when there is none of that name.
    func info(_ name: String) -> TensorInfo?
    /// Reads a tensor, mapped from the file where the format allows it.
    func tensor(_ name: String) throws -> Tensor
}

/// Type and shape of a stored tensor.
public struct TensorInfo: Hashable, Sendable {
    /// The element type.
    public var dtype: DType
    /// The extents.
    public var shape: Shape

    /// Joins a type and a shape.
    public init(dtype: DType, shape: Shape) {
        self.dtype = dtype
        self.shape = shape
    }
}
