import TensorCore

/// One tensor as a safetensors header lists it.
public struct SafetensorsEntry: Hashable, Sendable {
    /// The tensor's name.
    public let name: String
    /// The element type as the file spells it, such as `BF16` or `F8_E4M3`.
    public let dtypeName: String
    /// The extents, outermost first.
    public let dimensions: [Int]
    /// Where the elements lie in the file, in bytes from its beginning.
    public let byteRange: Range<Int>
}

/// The parsed and checked header of a safetensors file.
///
/// The rules are those of the format's own reader (`safetensors/src/tensor.rs`): a header of at most 100 MB that begins
/// with `{`, and tensors that cover the rest of the file without holes or overlaps, each of exactly the length that its
/// type and shape ask for.
struct SafetensorsHeader {
    static let longestHeader = 100_000_000
    static let highestRank = 32
    /// The member of the header that is no tensor.
    static let metadataKey = "__metadata__"

    /// In the order of the header.
    var entries: [SafetensorsEntry] = []
    var metadata: [String: String] = [:]
    /// The places of the entries by their names.
    var indices: [String: Int] = [:]
    private let path: String

    init(_ file: MappedFile, expected: String) throws {
        path = file.path
        if let content = Self.foreignContent(file) {
            throw FileError(path, expected: expected, found: content)
        }
        guard file.byteCount >= 8 else {
            throw fault("header length", "8 bytes", "a file of \(file.byteCount) bytes")
        }
        let declared = UInt64(littleEndian: file.bytes.loadUnaligned(as: UInt64.self))
        guard declared <= UInt64(Self.longestHeader) else {
            throw fault("header length", "at most \(Self.longestHeader) bytes", "\(declared)")
        }
        let length = Int(declared)
        guard length <= file.byteCount - 8 else {
            throw fault("header length", "at most the \(file.byteCount - 8) bytes that follow", "\(length)")
        }
        guard length >= 2, file.bytes[8] == UInt8(ascii: "{") else {
            throw fault(
                "header", "'{' as the first character", length < 2 ? "\(length) bytes" : "byte \(file.bytes[8])")
        }
        try parse(Array(file.bytes[8..<8 + length]), dataStart: 8 + length, fileLength: file.byteCount)
    }

    /// What a file holds whose first bytes are no length of a header, where that can be told.
    private static func foreignContent(_ file: MappedFile) -> String? {
        if file.byteCount == 0 { return nil }
        if file.byteCount >= 8,
            UInt64(littleEndian: file.bytes.loadUnaligned(as: UInt64.self)) <= UInt64(longestHeader)
        {
            return nil
        }
        return FileContent.name(of: file.bytes)
    }

    /// Reads the JSON text, then checks all entries against the data's length.
    private mutating func parse(_ text: [UInt8], dataStart: Int, fileLength: Int) throws {
        var hasMetadata = false
        var reader = JSONReader(text)
        var current = "header"
        var listed: [Listed] = []
        do {
            try reader.members { reader, name, position in
                let isNew =
                    name == Self.metadataKey ? !hasMetadata : indices.updateValue(listed.count, forKey: name) == nil
                guard isNew else { throw JSONFault(repeated: name, at: position) }
                current = name
                if name == Self.metadataKey {
                    hasMetadata = true
                    if reader.take(word: "null") { return }
                    try reader.members { reader, key, position in
                        guard metadata[key] == nil else { throw JSONFault(repeated: key, at: position) }
                        metadata[key] = try reader.string()
                    }
                } else {
                    listed.append(try Listed(name, &reader))
                }
                current = "header"
            }
            try reader.end("nothing after the closing '}'")
        } catch let error as JSONFault {
            throw fault(current, error.expected, "\(error.found ?? "the end") at byte \(error.position) of the header")
        }
        for tensor in listed { try check(tensor, dataLength: fileLength - dataStart) }
        try checkCoverage(listed, dataLength: fileLength - dataStart)
        entries = listed.map {
            SafetensorsEntry(
                name: $0.name, dtypeName: $0.dtype, dimensions: $0.shape,
                byteRange: dataStart + $0.start..<dataStart + $0.end)
        }
    }

    /// An entry before its numbers are believed.
    private struct Listed {
        let name: String
        var dtype = ""
        var shape: [Int] = []
        var start = 0
        var end = 0

        init(_ name: String, _ reader: inout JSONReader) throws {
            self.name = name
            // No collection here: a header may list a million tensors.
            var (hasType, hasShape) = (false, false)
            var dtype = ""
            var shape: [Int] = []
            var offsets: [Int] = []
            try reader.object { reader, field in
                switch field {
                case "dtype":
                    dtype = try reader.string()
                    hasType = true
                case "shape":
                    hasShape = true
                    try reader.array { reader in
                        guard shape.count < SafetensorsHeader.highestRank else {
                            throw reader.fault("at most \(SafetensorsHeader.highestRank) extents")
                        }
                        shape.append(try reader.unsignedInteger())
                    }
                case "data_offsets":
                    try reader.array { reader in
                        guard offsets.count < 2 else { throw reader.fault("two data_offsets") }
                        offsets.append(try reader.unsignedInteger())
                    }
                    guard offsets.count == 2 else { throw reader.fault("two data_offsets") }
                default: try reader.skipValue()
                }
            }
            guard hasType, hasShape, offsets.count == 2 else {
                let names = [
                    offsets.count == 2 ? nil : "data_offsets", hasType ? nil : "dtype", hasShape ? nil : "shape",
                ]
                throw JSONFault(
                    position: reader.position,
                    expected: "the fields \(names.compactMap(\.self).joined(separator: ", "))", found: "none of them")
            }
            (self.dtype, self.shape, start, end) = (dtype, shape, offsets[0], offsets[1])
        }
    }

    private func check(_ tensor: Listed, dataLength: Int) throws {
        let key = tensor.name
        guard let type = SafetensorsElementType(rawValue: tensor.dtype) else {
            let known = SafetensorsElementType.allCases.map(\.rawValue)
            throw FileError(
                path, key: printable(key), expected: "a dtype of safetensors", found: "'\(printable(tensor.dtype))'",
                nearest: nearestName(to: tensor.dtype, among: known))
        }
        guard tensor.start <= tensor.end else {
            throw fault(key, "data_offsets in ascending order", "[\(tensor.start), \(tensor.end)]")
        }
        guard tensor.end <= dataLength else {
            throw fault(key, "data_offsets within the \(dataLength) bytes of data", "[\(tensor.start), \(tensor.end)]")
        }
        guard let bits = Self.bitCount(of: tensor.shape, type) else {
            throw fault(key, "a shape whose size fits into 63 bits", "\(tensor.shape)")
        }
        let length = tensor.end - tensor.start
        guard bits % 8 == 0, bits / 8 == length else {
            let wanted = bits % 8 == 0 ? "\(bits / 8)" : "\(bits)/8"
            throw fault(key, "\(wanted) bytes for \(tensor.dtype) \(tensor.shape)", "\(length)")
        }
    }

    /// The size of a tensor in bits, or nil when it, or the product of any of its extents, overflows.
    private static func bitCount(of shape: [Int], _ type: SafetensorsElementType) -> Int? {
        var bits = type.bitCount
        for extent in shape {
            // Strides of an empty tensor are products of its other extents: they must fit too.
            let (product, overflow) = bits.multipliedReportingOverflow(by: max(extent, 1))
            if overflow { return nil }
            bits = product
        }
        return shape.contains(0) ? 0 : bits
    }

    /// Tensors in the order of their data must follow one upon the other from the first byte to the last.
    private func checkCoverage(_ listed: [Listed], dataLength: Int) throws {
        var covered = 0
        for tensor in listed.sorted(by: { ($0.start, $0.end) < ($1.start, $1.end) }) {
            guard tensor.start == covered else {
                let what = tensor.start < covered ? "an overlap" : "a hole"
                throw fault(
                    tensor.name, "data from byte \(covered) on", "\(what), data from \(tensor.start) on")
            }
            covered = tensor.end
        }
        guard covered == dataLength else {
            throw fault("data", "\(covered) bytes, as the header lists", "\(dataLength)")
        }
    }

    private func fault(_ key: String, _ expected: String, _ found: String) -> FileError {
        FileError(path, key: printable(key), expected: expected, found: found)
    }
}
