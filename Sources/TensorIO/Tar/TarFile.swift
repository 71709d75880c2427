import TensorCore

/// A tar archive, mapped into memory: its members in their order, each readable without the others.
///
/// Read are the old format, POSIX ustar and pax (`path` and `size`), and GNU's long names and sizes. Folders, links and
/// devices are passed over.
public struct TarFile: Sendable {
    /// A file in the archive.
    public struct Member: Sendable, Hashable {
        /// Its name with folders.
        public let name: String
        /// Where its bytes lie in the archive.
        public let range: Range<Int>
    }

    /// The archive's path.
    public let path: String
    /// The members in the order of the archive.
    public let members: [Member]
    private let file: MappedFile

    /// Opens an archive and reads its headers.
    ///
    /// Throws ``FileError`` for a file that cannot be read, a damaged header, a member that reaches beyond the end, and
    /// an archive without its end.
    public init(path: String) throws(FileError) {
        do {
            file = try MappedFile(path: path)
        } catch {
            throw FileError(path, expected: "a tar archive", found: error.reason)
        }
        self.path = path
        members = try Self.scan(file.bytes, path)
    }

    /// A member's bytes, valid inside `body`.
    public func withBytes<Result>(
        of member: Member, _ body: (UnsafeRawBufferPointer) throws -> Result
    ) rethrows -> Result {
        try withExtendedLifetime(file) {
            try body(UnsafeRawBufferPointer(rebasing: file.bytes[member.range]))
        }
    }

    private static func scan(_ bytes: UnsafeRawBufferPointer, _ path: String) throws(FileError) -> [Member] {
        var members: [Member] = []
        var place = 0
        // What an extension header said about the member behind it.
        var longName: String?
        var longSize: Int?
        while true {
            func fault(_ expected: String, _ found: String) -> FileError {
                if place == 0, let content = FileContent.name(of: bytes, besides: "a tar archive") {
                    return FileError(path, expected: "a tar archive", found: content)
                }
                return FileError(path, key: "byte \(place)", expected: expected, found: found)
            }
            guard place + TarFormat.block <= bytes.count else {
                throw fault("an empty block as the end of the archive", "the end of the file at \(bytes.count)")
            }
            let header = UnsafeRawBufferPointer(rebasing: bytes[place..<place + TarFormat.block])
            if header.allSatisfy({ $0 == 0 }) { return members }
            guard let stated = number(header[TarFormat.checksum]), stated == TarFormat.sum(header) else {
                throw fault("a tar header", "512 bytes whose checksum is another")
            }
            guard var size = number(header[TarFormat.size]), size >= 0 else {
                throw fault("a member's size", "no number")
            }
            let type = header[TarFormat.type]
            let isFile = type == UInt8(ascii: "0") || type == 0 || type == UInt8(ascii: "7")
            if isFile, let longSize { size = longSize }
            let start = place + TarFormat.block
            guard size <= bytes.count - start else {
                throw fault("a member of \(size) bytes", "\(bytes.count - start) before the end of the file")
            }
            let content = UnsafeRawBufferPointer(rebasing: bytes[start..<start + size])
            switch type {
            case UInt8(ascii: "x"):
                guard let records = paxRecords(content) else { throw fault("records of a pax header", "other bytes") }
                if let name = records["path"] { longName = name }
                if let text = records["size"] {
                    guard let value = Int(text), value >= 0 else { throw fault("a size", "'\(printable(text))'") }
                    longSize = value
                }
            case UInt8(ascii: "L"): longName = text(content)
            case UInt8(ascii: "g"), UInt8(ascii: "K"): break
            default:
                if isFile {
                    let name = longName ?? self.name(header)
                    // Old archives mark folders by their names alone.
                    if !name.hasSuffix("/") {
                        members.append(Member(name: name, range: start..<start + size))
                    }
                }
                longName = nil
                longSize = nil
            }
            place = start + (size + TarFormat.block - 1) / TarFormat.block * TarFormat.block
        }
    }

    private static func name(_ header: UnsafeRawBufferPointer) -> String {
        let name = text(header[TarFormat.name])
        guard header[TarFormat.magic].elementsEqual("ustar\0".utf8) else { return name }
        let prefix = text(header[TarFormat.prefix])
        return prefix.isEmpty ? name : prefix + "/" + name
    }

    private static func text(_ bytes: some Collection<UInt8>) -> String {
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }

    /// A number in octal digits between spaces, or GNU's binary form; nil for anything else.
    private static func number(_ field: Slice<UnsafeRawBufferPointer>) -> Int? {
        guard let first = field.first else { return nil }
        if first & 0x80 != 0 {
            var value = Int(first & 0x7F)
            for byte in field.dropFirst() {
                guard value < 1 << 53 else { return nil }
                value = value << 8 | Int(byte)
            }
            return value
        }
        let digits = field.drop { $0 == 32 }.prefix { $0 != 32 && $0 != 0 }
        if digits.isEmpty { return field.allSatisfy { $0 == 32 || $0 == 0 } ? 0 : nil }
        return Int(String(decoding: digits, as: UTF8.self), radix: 8)
    }

    /// Lines of `length key=value`; nil when they are not.
    private static func paxRecords(_ bytes: UnsafeRawBufferPointer) -> [String: String]? {
        var records: [String: String] = [:]
        var place = 0
        while place < bytes.count {
            guard let space = bytes[place...].firstIndex(of: 32),
                let length = Int(String(decoding: bytes[place..<space], as: UTF8.self)),
                length > space - place + 1, length <= bytes.count - place,
                bytes[place + length - 1] == UInt8(ascii: "\n"),
                let equals = bytes[space..<place + length].firstIndex(of: UInt8(ascii: "="))
            else { return nil }
            let key = String(decoding: bytes[space + 1..<equals], as: UTF8.self)
            records[key] = String(decoding: bytes[equals + 1..<place + length - 1], as: UTF8.self)
            place += length
        }
        return records
    }
}
