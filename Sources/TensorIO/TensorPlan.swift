public import TensorCore

/// A tensor of a file that is going to be written, before its numbers are known. `ElementType` is the format's own.
public struct TensorPlan<ElementType: Hashable & Sendable>: Hashable, Sendable {
    /// The tensor's name.
    public var name: String
    /// The type that it will have in the file.
    public var type: ElementType
    /// The extents, outermost first.
    public var shape: Shape

    /// Plans a tensor.
    public init(name: String, type: ElementType, shape: Shape) {
        self.name = name
        self.type = type
        self.shape = shape
    }

    /// Throws ``FileError`` when a name comes twice or is `reserved`.
    static func requireDistinctNames(_ plans: [TensorPlan], reserved: String? = nil, path: String) throws(FileError) {
        var seen = Set(reserved.map { [$0] } ?? [])
        for plan in plans where !seen.insert(plan.name).inserted {
            throw FileError(
                path, key: printable(plan.name), expected: "a name of its own for each tensor",
                found: plan.name == reserved ? "the reserved name" : "the name twice")
        }
    }
}

extension AtomicFile {
    /// Appends the elements of a tensor of any strides, row-major.
    func write(_ tensor: Tensor) throws {
        let dense = tensor.contiguous()
        let size = dense.dtype.byteCount
        try withExtendedLifetime(dense) {
            let start = dense.storage.base + dense.offset * size
            try write(UnsafeRawBufferPointer(start: start, count: dense.count * size))
        }
    }
}
