/// A text in UTF-8, with or without the mark of byte order, whose lines end in LF, CRLF or CR.
///
///     let list = try TextFile(contentsOf: "metadata.jsonl")
///     for (index, line) in list.lines.enumerated() { print("line \(index + 1): \(line)") }
///
/// Texts from other systems end their lines otherwise, and Swift takes CRLF for one `Character`, so that
/// `split(separator: "\n")` finds no line in them: whoever needs lines takes ``lines`` or ``lines(of:)``.
public struct TextFile: Sendable {
    /// The file's path.
    public let path: String
    /// The text without the mark of byte order, line ends as they are.
    public let text: String
    /// The lines without their ends. A last line may lack its end; an empty text has no line.
    public var lines: [Substring] { Self.lines(of: text) }

    /// Reads a file.
    ///
    /// Throws ``FileError``: with `expected` for a file that is missing, a folder, unreadable or larger than
    /// `maximumByteCount`, and with line and column for bytes that are not UTF-8, whose encoding is named where they show it.
    public init(
        contentsOf path: String, expected: String = "a text in UTF-8", maximumByteCount: Int = 1 << 31
    ) throws(FileError) {
        let bytes = try readWholeFile(
            path, expected: expected, maximumByteCount: maximumByteCount, allowsPipes: true)
        if let content = bytes.withUnsafeBytes({ FileContent.notFetched($0) }) {
            throw FileError(path, expected: expected, found: content)
        }
        try self.init(decoding: bytes, path: path)
    }

    /// Decodes bytes; `path`, and `key` where the text is a part of a file, stand for it in errors.
    ///
    /// Throws ``FileError`` with line and column for bytes that are not UTF-8.
    public init(decoding bytes: [UInt8], path: String, key: String? = nil) throws(FileError) {
        self.path = path
        do throws(EncodingFault) {
            text = try Self.decode(bytes)
        } catch {
            throw FileError(
                path, key: (key.map { $0 + ": " } ?? "") + "line \(error.line), column \(error.column)",
                expected: EncodingFault.expected, found: error.found)
        }
    }

    /// The lines of a text, which end in LF, CRLF or CR, without their ends.
    public static func lines(of text: String) -> [Substring] {
        let bytes = text.utf8
        var lines: [Substring] = []
        var start = bytes.startIndex
        var position = start
        while position < bytes.endIndex {
            let byte = bytes[position]
            guard byte == lineFeed || byte == carriageReturn else {
                position = bytes.index(after: position)
                continue
            }
            lines.append(text[start..<position])
            position = bytes.index(after: position)
            if byte == carriageReturn, position < bytes.endIndex, bytes[position] == lineFeed {
                position = bytes.index(after: position)
            }
            start = position
        }
        if start < bytes.endIndex { lines.append(text[start...]) }
        return lines
    }

    private static let lineFeed = UInt8(ascii: "\n")
    private static let carriageReturn = UInt8(ascii: "\r")

    /// The text of bytes in UTF-8 without the mark of byte order.
    package static func decode(_ bytes: [UInt8]) throws(EncodingFault) -> String {
        if let fault = EncodingFault(wideCharactersIn: bytes) { throw fault }
        let body = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? bytes[3...] : bytes[...]
        guard let text = String(validating: body, as: UTF8.self) else { throw EncodingFault(illFormed: Array(body)) }
        if let zero = body.firstIndex(of: 0) {
            throw EncodingFault(Array(body), at: zero - body.startIndex, found: "a zero byte, as in no text")
        }
        return text
    }
}
