public import TensorCore

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
        try requireDistinct(tensors.map(\.name), path: path)
        let ordered = order == .given ? tensors : inOrderOfAlignment(tensors)
        let plans = ordered.map { SafetensorsPlan(name: $0.name, dtype: $0.tensor.dtype, shape: $0.tensor.shape) }
        try AtomicFile.write(to: path) { file in
            try file.write(header(of: plans, metadata: metadata))
            for (_, tensor) in ordered {
                let dense = tensor.contiguous()
                let start = dense.storage.base + dense.offset * dense.dtype.byteCount
                try file.write(UnsafeRawBufferPointer(start: start, count: dense.count * dense.dtype.byteCount))
            }
        }
    }

    /// Throws ``FileError`` when a name is used twice or reserved.
    static func requireDistinct(_ names: [String], path: String) throws {
        var seen: Set = ["__metadata__"]
        for name in names where !seen.insert(name).inserted {
            let found = name == "__metadata__" ? "the reserved name" : "the name twice"
            throw FileError(path, key: printable(name), expected: "a name of its own for each tensor", found: found)
        }
    }

    private static func inOrderOfAlignment(
        _ tensors: [(name: String, tensor: Tensor)]
    ) -> [(name: String, tensor: Tensor)] {
        tensors.sorted { a, b in
            let (first, second) = (SafetensorsElementType(a.tensor.dtype), SafetensorsElementType(b.tensor.dtype))
            if first != second { return first.writingOrder < second.writingOrder }
            return a.name.utf8.lexicographicallyPrecedes(b.name.utf8)
        }
    }

    /// The length, the JSON text and the spaces that align what follows to eight bytes.
    static func header(of tensors: [SafetensorsPlan], metadata: [String: String]) throws -> [UInt8] {
        var members: [String] = []
        if !metadata.isEmpty {
            let sorted = metadata.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
            let pairs = sorted.map { jsonString($0.key) + ":" + jsonString($0.value) }
            members.append("\"__metadata__\":{" + pairs.joined(separator: ",") + "}")
        }
        var offset = 0
        for tensor in tensors {
            let end = offset + tensor.shape.count * tensor.dtype.byteCount
            let shape = tensor.shape.dimensions.map(String.init).joined(separator: ",")
            let type = SafetensorsElementType(tensor.dtype).rawValue
            members.append(
                "\(jsonString(tensor.name)):{\"dtype\":\"\(type)\",\"shape\":[\(shape)],\"data_offsets\":[\(offset),\(end)]}"
            )
            offset = end
        }
        var text = Array(("{" + members.joined(separator: ",") + "}").utf8)
        text += [UInt8](repeating: 0x20, count: (8 - text.count % 8) % 8)
        return withUnsafeBytes(of: UInt64(text.count).littleEndian, Array.init) + text
    }

    private static func jsonString(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\u{8}": result += "\\b"
            case "\u{C}": result += "\\f"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case "\u{0}"..<" ":
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}
