public import TensorCore

/// Named tensors in memory, for whoever takes an archive.
public struct MemoryArchive: TensorArchive, Sendable {
    /// What to call the tensors' origin in errors.
    public let path: String
    /// The names in the order given.
    public let names: [String]
    private let tensors: [String: Tensor]

    /// Collects tensors of distinct names that came from `path`.
    public init(path: String, _ tensors: [(name: String, tensor: Tensor)]) {
        self.path = path
        names = tensors.map(\.name)
        self.tensors = Dictionary(uniqueKeysWithValues: tensors.map { ($0.name, $0.tensor) })
    }

    /// Type and shape of a tensor.
    public func info(_ name: String) -> TensorInfo? {
        tensors[name].map { TensorInfo(dtype: $0.dtype, shape: $0.shape) }
    }

    /// The tensor of a name. Throws ``FileError`` when there is none.
    public func tensor(_ name: String) throws -> Tensor {
        guard let tensor = tensors[name] else {
            throw FileError(
                path, key: name, expected: "a tensor", found: "none", nearest: nearestName(to: name, among: names))
        }
        return tensor
    }
}
