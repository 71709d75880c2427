public import TensorCore

/// A tensor of a file that is to be written, before its numbers are known.
public struct SafetensorsPlan: Sendable, Equatable {
    /// Its name.
    public var name: String
    /// The type that it is written in.
    public var dtype: DType
    /// Its extents.
    public var shape: Shape

    /// Plans a tensor.
    public init(name: String, dtype: DType, shape: Shape) {
        self.name = name
        self.dtype = dtype
        self.shape = shape
    }
}

extension SafetensorsFile {
    /// Writes tensors that are made one after the other, and each in pieces of rows: whatever the size of the file, no more
    /// than a piece is in memory. The file replaces `path` only when it is whole.
    ///
    /// `pieces` is called for each plan, wide types before narrow ones and then by name, and hands over the tensor's numbers
    /// in order. Throws ``FileError`` when a name is used twice or reserved or when the file cannot be written, and what
    /// `pieces` throws.
    public static func write(
        plans: [SafetensorsPlan], metadata: [String: String] = [:], to path: String,
        pieces: (_ plan: SafetensorsPlan, _ write: (Tensor) throws -> Void) throws -> Void
    ) throws {
        try requireDistinct(plans.map(\.name), path: path)
        let ordered = plans.sorted { a, b in
            let (first, second) = (SafetensorsElementType(a.dtype), SafetensorsElementType(b.dtype))
            if first != second { return first.writingOrder < second.writingOrder }
            return a.name.utf8.lexicographicallyPrecedes(b.name.utf8)
        }
        try AtomicFile.write(to: path) { file in
            try file.write(header(of: ordered, metadata: metadata))
            for plan in ordered {
                var count = 0
                try pieces(plan) { piece in
                    precondition(piece.dtype == plan.dtype, "\(plan.name): \(piece.dtype), not \(plan.dtype)")
                    let dense = piece.contiguous()
                    let start = dense.storage.base + dense.offset * dense.dtype.byteCount
                    try file.write(UnsafeRawBufferPointer(start: start, count: dense.count * dense.dtype.byteCount))
                    count += dense.count
                }
                precondition(count == plan.shape.count, "\(plan.name): \(count) of \(plan.shape.count) numbers")
            }
        }
    }
}
