public import TensorCore

/// A tensor that a GGUF file is going to hold.
public typealias GGUFPlan = TensorPlan<GGUFTensorType>

extension GGUFFile {
    /// Writes a file of version 3 that replaces `path` only when it is whole.
    ///
    /// The header comes first, so that types and shapes must be known; the tensors themselves are asked for one by one,
    /// in order, and may be made on the spot: no more than one is held at a time.
    ///
    /// Throws ``FileError`` when a name or key is used twice, when a row is no whole number of blocks, or when the file
    /// cannot be written; what `contents` gives must be of the type and shape that were announced.
    public static func write(
        metadata: [(key: String, value: GGUFValue)], tensors: [GGUFPlan], to path: String,
        contents: (GGUFPlan) throws -> StoredTensor
    ) throws {
        try check(metadata, tensors, path)
        try AtomicFile.write(to: path) { file in
            try file.write(header(metadata, tensors))
            for plan in tensors {
                try pad(file)
                switch try contents(plan) {
                case .plain(let tensor):
                    precondition(
                        GGUFTensorType(tensor.dtype) == plan.type && tensor.shape == plan.shape,
                        "\(plan.name): \(tensor.dtype) \(tensor.shape) for \(plan.type) \(plan.shape)")
                    try file.write(tensor)
                case .quantized(let tensor):
                    precondition(
                        GGUFTensorType(tensor.format) == plan.type && tensor.shape == plan.shape,
                        "\(plan.name): \(tensor.format) \(tensor.shape) for \(plan.type) \(plan.shape)")
                    try tensor.withBytes { try file.write($0) }
                }
            }
            try pad(file)
        }
    }

    private static func check(
        _ metadata: [(key: String, value: GGUFValue)], _ tensors: [GGUFPlan], _ path: String
    ) throws {
        var keys = Set<String>()
        for (key, _) in metadata where !keys.insert(key).inserted {
            throw FileError(path, key: printable(key), expected: "each key once", found: "it twice")
        }
        try GGUFPlan.requireDistinctNames(tensors, path: path)
        for plan in tensors {
            guard plan.shape.rank <= GGUFHeader.highestRank else {
                throw FileError(
                    path, key: printable(plan.name), expected: "at most \(GGUFHeader.highestRank) extents",
                    found: "\(plan.shape)")
            }
            guard (plan.shape.dimensions.last ?? 1) % plan.type.blockElements == 0 else {
                throw FileError(
                    path, key: printable(plan.name),
                    expected: "rows of a multiple of \(plan.type.blockElements) numbers for \(plan.type)",
                    found: "\(plan.shape)")
            }
        }
    }

    private static func header(_ metadata: [(key: String, value: GGUFValue)], _ tensors: [GGUFPlan]) -> [UInt8] {
        var bytes = GGUFHeader.magic
        bytes.appendLittleEndian(UInt32(3))
        bytes.appendLittleEndian(UInt64(tensors.count))
        bytes.appendLittleEndian(UInt64(metadata.count))
        for (key, value) in metadata {
            bytes.appendGGUF(key)
            bytes.appendGGUF(value)
        }
        var offset = 0
        for plan in tensors {
            bytes.appendGGUF(plan.name)
            bytes.appendLittleEndian(UInt32(plan.shape.rank))
            for extent in plan.shape.dimensions.reversed() { bytes.appendLittleEndian(UInt64(extent)) }
            bytes.appendLittleEndian(plan.type.code)
            bytes.appendLittleEndian(UInt64(offset))
            offset += aligned(plan.shape.count / plan.type.blockElements * plan.type.blockByteCount)
        }
        return bytes
    }

    private static func aligned(_ count: Int) -> Int {
        (count + GGUFHeader.defaultAlignment - 1) / GGUFHeader.defaultAlignment * GGUFHeader.defaultAlignment
    }

    private static func pad(_ file: AtomicFile) throws {
        try file.write([UInt8](repeating: 0, count: aligned(file.byteCount) - file.byteCount))
    }
}

extension [UInt8] {
    /// Appends a metadata value behind its type.
    fileprivate mutating func appendGGUF(_ value: GGUFValue) {
        appendLittleEndian(value.type.rawValue)
        switch value {
        case .uint8(let value): appendLittleEndian(value)
        case .int8(let value): appendLittleEndian(value)
        case .uint16(let value): appendLittleEndian(value)
        case .int16(let value): appendLittleEndian(value)
        case .uint32(let value): appendLittleEndian(value)
        case .int32(let value): appendLittleEndian(value)
        case .uint64(let value): appendLittleEndian(value)
        case .int64(let value): appendLittleEndian(value)
        case .float32(let value): appendLittleEndian(value.bitPattern)
        case .float64(let value): appendLittleEndian(value.bitPattern)
        case .bool(let value): appendLittleEndian(UInt8(value ? 1 : 0))
        case .string(let text): appendGGUF(text)
        case .array(let array):
            appendLittleEndian(array.elementType.rawValue)
            appendLittleEndian(UInt64(array.count))
            append(contentsOf: array.bytes)
        }
    }
}
