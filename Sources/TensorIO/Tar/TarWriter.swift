/// Writes a tar archive (POSIX ustar) of files in memory, into a file that appears whole or not at all.
///
///     try TarWriter.write(to: "pairs.tar") { tar in
///         try tar.add("0001.json", bytes)
///     }
///
/// Owner, time and permissions are the same for all members, so that the bytes depend on names and contents alone.
public struct TarWriter {
    private let file: AtomicFile

    /// Runs `body` with a new archive and gives it its name when all is on the disk; when `body` throws, nothing has
    /// changed at `path`.
    public static func write(to path: String, body: (TarWriter) throws -> Void) throws {
        try AtomicFile.write(to: path) { file in
            try body(TarWriter(file: file))
            // Two empty blocks end an archive.
            try file.write([UInt8](repeating: 0, count: 2 * TarFormat.block))
        }
    }

    /// Appends a file. Throws ``FileError`` when the name does not fit into a header (100 bytes, or 155 more in folders
    /// before a slash), the content has 8 GiB or more, or the disk is full.
    public func add(_ name: String, _ bytes: [UInt8]) throws {
        try file.write(TarFormat.header(name: name, count: bytes.count, archive: file.path))
        try file.write(bytes)
        let rest = bytes.count % TarFormat.block
        if rest > 0 { try file.write([UInt8](repeating: 0, count: TarFormat.block - rest)) }
    }
}

/// The layout of a tar header: fields of fixed width, numbers in octal digits (POSIX.1-1988, "ustar").
enum TarFormat {
    static let block = 512
    static let name = 0..<100
    static let size = 124..<136
    static let checksum = 148..<156
    static let type = 156
    static let magic = 257..<263
    static let prefix = 345..<500

    static func header(name: String, count: Int, archive: String) throws(FileError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: block)
        func put(_ text: some Sequence<UInt8>, at start: Int) {
            for (i, byte) in text.enumerated() { bytes[start + i] = byte }
        }
        let whole = Array(name.utf8)
        guard !whole.isEmpty, !whole.contains(0) else {
            throw FileError(archive, key: printable(name), expected: "a member's name", found: "none")
        }
        if whole.count <= Self.name.count {
            put(whole, at: 0)
        } else {
            let cut = whole.indices.first { i in
                whole[i] == UInt8(ascii: "/") && whole.count - i - 1 <= Self.name.count && i <= prefix.count
            }
            guard let cut, cut > 0, cut + 1 < whole.count else {
                throw FileError(
                    archive, key: printable(name), expected: "a name of at most 100 bytes, without its folder",
                    found: "\(whole.count)")
            }
            put(whole[..<cut], at: prefix.lowerBound)
            put(whole[(cut + 1)...], at: 0)
        }
        guard count < 1 << 33 else {
            throw FileError(archive, key: printable(name), expected: "a member below 8 GiB", found: "\(count) bytes")
        }
        put("0000644\0".utf8, at: 100)
        put("0000000\0".utf8, at: 108)
        put("0000000\0".utf8, at: 116)
        put(zeroPadded(count, digits: 11, radix: 8).utf8, at: size.lowerBound)
        put(zeroPadded(0, digits: 11, radix: 8).utf8, at: 136)
        bytes[type] = UInt8(ascii: "0")
        put("ustar\u{0}00".utf8, at: magic.lowerBound)
        put("0000000\0".utf8, at: 329)
        put("0000000\0".utf8, at: 337)
        put((zeroPadded(sum(bytes), digits: 6, radix: 8) + "\0 ").utf8, at: checksum.lowerBound)
        return bytes
    }

    /// The sum of all bytes, those of the checksum itself taken for spaces.
    static func sum(_ bytes: some Collection<UInt8>) -> Int {
        var sum = 0
        for (i, byte) in bytes.enumerated() { sum += checksum.contains(i) ? 32 : Int(byte) }
        return sum
    }
}
