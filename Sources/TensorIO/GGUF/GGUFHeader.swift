public import TensorCore

/// One tensor as a GGUF header lists it.
public struct GGUFEntry: Hashable, Sendable {
    /// The tensor's name.
    public let name: String
    /// The element type.
    public let type: GGUFTensorType
    /// The extents, outermost first: the file has them the other way round.
    public let shape: Shape
    /// Where the blocks lie in the file, in bytes from its beginning.
    public let byteRange: Range<Int>
}

/// The parsed and checked header of a GGUF file of version 2 or 3, little-endian.
///
/// The format: ggml's `docs/gguf.md`. Beyond what other readers check, tensors must not overlap.
struct GGUFHeader {
    /// `GGUF` as it stands at the beginning of a file.
    static let magic: [UInt8] = [0x47, 0x47, 0x55, 0x46]
    static let defaultAlignment = 32
    static let highestRank = 4

    var version = 0
    var metadata: [(key: String, value: GGUFValue)] = []
    /// In the order of the header.
    var entries: [GGUFEntry] = []
    private let path: String

    init(_ file: MappedFile) throws {
        path = file.path
        try withExtendedLifetime(file) {
            var cursor = GGUFCursor(file.bytes, path: file.path)
            let head = file.bytes.prefix(4)
            guard head.elementsEqual(Self.magic) else {
                let found = head.map { String($0, radix: 16) }.joined(separator: " ")
                if !head.isEmpty, let content = FileContent.name(of: file.bytes) {
                    throw FileError(path, expected: "a GGUF file", found: content)
                }
                throw cursor.fault("'GGUF' as the first four bytes", head.isEmpty ? "an empty file" : "bytes \(found)")
            }
            _ = try cursor.integer("the magic", as: UInt32.self)
            let version = try cursor.integer("the version", as: UInt32.self)
            guard version == 2 || version == 3 else {
                let isSwapped = version.byteSwapped == 2 || version.byteSwapped == 3
                throw cursor.fault("version 2 or 3", isSwapped ? "a big-endian file" : "\(version)")
            }
            self.version = Int(version)
            // A tensor takes its name's length, its rank, its type and its offset at least; a value its key's length,
            // its type and a byte.
            let tensorCount = try cursor.count(of: "tensors", least: 24)
            let valueCount = try cursor.count(of: "metadata values", least: 13)
            try readMetadata(valueCount, &cursor)
            let listed = try (0..<tensorCount).map { try Listed($0, &cursor) }
            try place(listed, after: cursor.position, fileLength: file.byteCount)
        }
    }

    private mutating func readMetadata(_ count: Int, _ cursor: inout GGUFCursor) throws {
        var seen = Set<String>()
        for place in 0..<count {
            cursor.key = "metadata value \(place)"
            let key = try cursor.text("a key")
            cursor.key = key
            guard seen.insert(key).inserted else { throw cursor.fault("each key once", "it twice") }
            metadata.append((key, try cursor.value()))
        }
    }

    /// An entry before its numbers are believed.
    private struct Listed {
        let name: String
        let type: GGUFTensorType
        let shape: [Int]
        let offset: UInt64
        let byteCount: Int

        init(_ place: Int, _ cursor: inout GGUFCursor) throws {
            cursor.key = "tensor \(place)"
            name = try cursor.text("a name")
            cursor.key = name
            let rank = try cursor.integer("the number of extents", as: UInt32.self)
            guard rank <= UInt32(GGUFHeader.highestRank) else {
                throw cursor.fault("at most \(GGUFHeader.highestRank) extents", "\(rank)")
            }
            let extents = try (0..<rank).map { _ in try cursor.integer("an extent", as: UInt64.self) }
            let code = try cursor.integer("a type", as: UInt32.self)
            offset = try cursor.integer("an offset", as: UInt64.self)
            guard let type = GGUFTensorType(code: code) else {
                throw cursor.fault("a type of ggml", "number \(code)")
            }
            self.type = type
            shape = try extents.reversed().map {
                guard let extent = Int(exactly: $0) else { throw cursor.fault("extents below 2^63", "\($0)") }
                return extent
            }
            // Strides of an empty tensor are products of its other extents: they must fit too.
            var elements = 1
            for extent in shape {
                let (product, overflow) = elements.multipliedReportingOverflow(by: max(extent, 1))
                guard !overflow, product < Int.max / 16 else {
                    throw cursor.fault("a shape whose size fits into 63 bits", "\(shape)")
                }
                elements = product
            }
            guard (shape.last ?? 1) % type.blockElements == 0 else {
                throw cursor.fault(
                    "rows of a multiple of \(type.blockElements) numbers for \(type)", "\(shape.last ?? 1)")
            }
            guard let length = type.byteCount(of: shape.contains(0) ? 0 : elements) else {
                throw cursor.fault("a shape whose size fits into 63 bits", "\(shape)")
            }
            byteCount = length
        }
    }

    /// Turns offsets into places in the file: aligned, inside it and apart from each other.
    private mutating func place(_ listed: [Listed], after headerEnd: Int, fileLength: Int) throws {
        let alignment = try alignment()
        let start = (headerEnd + alignment - 1) / alignment * alignment
        var seen = Set<String>()
        for tensor in listed {
            func fault(_ expected: String, _ found: String) -> FileError {
                FileError(path, key: printable(tensor.name), expected: expected, found: found)
            }
            guard seen.insert(tensor.name).inserted else { throw fault("each tensor's name once", "it twice") }
            guard tensor.offset % UInt64(alignment) == 0 else {
                throw fault("an offset that is a multiple of \(alignment)", "\(tensor.offset)")
            }
            let available = max(fileLength - start, 0)
            guard tensor.offset <= UInt64(available), tensor.byteCount <= available - Int(tensor.offset) else {
                throw fault(
                    "\(tensor.byteCount) bytes for \(tensor.type) \(tensor.shape) within the \(available) bytes of data",
                    "offset \(tensor.offset)")
            }
            // An empty tensor may stand behind the padding that its file ends without.
            let first = min(start + Int(tensor.offset), fileLength - tensor.byteCount)
            entries.append(
                GGUFEntry(
                    name: tensor.name, type: tensor.type, shape: Shape(tensor.shape),
                    byteRange: first..<first + tensor.byteCount))
        }
        var end = start
        let filled = entries.filter { !$0.byteRange.isEmpty }
        for entry in filled.sorted(by: { $0.byteRange.lowerBound < $1.byteRange.lowerBound }) {
            guard entry.byteRange.lowerBound >= end else {
                throw FileError(
                    path, key: printable(entry.name), expected: "data of its own",
                    found: "an overlap with another tensor")
            }
            end = entry.byteRange.upperBound
        }
    }

    private func alignment() throws -> Int {
        let key = "general.alignment"
        guard let value = metadata.first(where: { $0.key == key })?.value else { return Self.defaultAlignment }
        guard case .uint32(let alignment) = value, alignment > 0, alignment.nonzeroBitCount == 1 else {
            throw FileError(path, key: key, expected: "a power of two of type uint32", found: value.description)
        }
        return Int(alignment)
    }
}
