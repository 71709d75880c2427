public import TensorCore

/// A tensor that a safetensors file is going to hold.
public typealias SafetensorsPlan = TensorPlan<DType>

extension SafetensorsFile {
    /// The order of tensors in a file that is written.
    public enum Order: Sendable {
        /// As upstream writes: wide types before narrow ones, then by name. Every tensor is aligned for its type.
        case alignment
        /// As given; a tensor after one of odd length may lie unaligned, which costs its readers a copy.
        case given
    }

    /// Writes tensors of any strides, one after the other, to a file that replaces `path` only when it is whole.
    ///
    /// With ``Order/alignment`` and at most one metadata key the bytes equal those that upstream's `save_file` writes.
    /// Throws ``FileError`` when a name is used twice or reserved, or when the file cannot be written.
    public static func write(
        _ tensors: [(name: String, tensor: Tensor)], metadata: [String: String] = [:], order: Order = .alignment,
        to path: String
    ) throws {
        let plans = tensors.map { SafetensorsPlan(name: $0.name, type: $0.tensor.dtype, shape: $0.tensor.shape) }
        let named = Dictionary(tensors.map { ($0.name, $0.tensor) }, uniquingKeysWith: { first, _ in first })
        try write(plans, metadata, order, to: path) { plan, write in try write(named[plan.name]!) }
    }

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
        try write(plans, metadata, .alignment, to: path, pieces: pieces)
    }

    /// The same in either order.
    private static func write(
        _ plans: [SafetensorsPlan], _ metadata: [String: String], _ order: Order, to path: String,
        pieces: (_ plan: SafetensorsPlan, _ write: (Tensor) throws -> Void) throws -> Void
    ) throws {
        try SafetensorsPlan.requireDistinctNames(plans, reserved: SafetensorsHeader.metadataKey, path: path)
        let ordered = order == .given ? plans : inOrderOfAlignment(plans)
        try AtomicFile.write(to: path) { file in
            try file.write(header(of: ordered, metadata: metadata))
            for plan in ordered {
                var count = 0
                try pieces(plan) { piece in
                    precondition(piece.dtype == plan.type, "\(plan.name): \(piece.dtype), not \(plan.type)")
                    try file.write(piece)
                    count += piece.count
                }
                precondition(count == plan.shape.count, "\(plan.name): \(count) of \(plan.shape.count) numbers")
            }
        }
    }

    private static func inOrderOfAlignment(_ plans: [SafetensorsPlan]) -> [SafetensorsPlan] {
        plans.sorted { a, b in
            let (first, second) = (SafetensorsElementType(a.type), SafetensorsElementType(b.type))
            if first != second { return first.writingOrder < second.writingOrder }
            return a.name.utf8.lexicographicallyPrecedes(b.name.utf8)
        }
    }

    /// The length, the JSON text and the spaces that align what follows to eight bytes.
    private static func header(of tensors: [SafetensorsPlan], metadata: [String: String]) -> [UInt8] {
        var writer = JSONWriter()
        var separator = "{"
        func startMember(_ name: String) {
            writer.append(raw: separator)
            writer.append(quoted: name)
            separator = ","
        }
        if !metadata.isEmpty {
            startMember(SafetensorsHeader.metadataKey)
            writer.append(raw: ":")
            writer.append(JSONValue(fields: metadata.mapValues(JSONValue.string)))
        }
        var offset = 0
        for tensor in tensors {
            let end = offset + tensor.shape.count * tensor.type.byteCount
            let shape = tensor.shape.dimensions.map(String.init).joined(separator: ",")
            let type = SafetensorsElementType(tensor.type).rawValue
            startMember(tensor.name)
            writer.append(raw: ":{\"dtype\":\"\(type)\",\"shape\":[\(shape)],\"data_offsets\":[\(offset),\(end)]}")
            offset = end
        }
        writer.append(raw: separator == "{" ? "{}" : "}")
        var text = writer.bytes
        text += [UInt8](repeating: 0x20, count: (8 - text.count % 8) % 8)
        return withUnsafeBytes(of: UInt64(text.count).littleEndian, Array.init) + text
    }
}
