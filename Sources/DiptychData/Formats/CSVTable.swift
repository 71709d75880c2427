import TensorIO

/// The rows of a table whose fields are separated by commas, semicolons or tabs, as spreadsheets write it (RFC 4180).
///
/// A field may stand in quotes, and must where it holds a separator, a quote, which is doubled then, or a line's end.
/// Blanks around a field are not its own unless they are quoted. Empty lines are passed over. Nothing is guessed: what
/// does not fit these rules is a fault with its line and column.
struct CSVTable: Sendable {
    /// A line of the table.
    struct Row: Sendable, Equatable {
        /// The number of the line on which it begins, from 1.
        var line: Int
        var fields: [String]
    }

    /// What stands between fields.
    let separator: Unicode.Scalar
    /// The names of the columns; one without a name is passed over.
    let header: [String]
    /// The rows below the header, those with another number of fields left out.
    let rows: [Row]
    /// The rows that were left out.
    let faults: [FileError]

    private static let separators: [Unicode.Scalar] = [",", ";", "\t"]

    /// Reads a table with a header. The separator is the one by which the header has the column `key`, otherwise a comma.
    ///
    /// Throws `FileError` with line and column for a quote where none may be or that nothing closes, and for a header
    /// that names a column twice or is missing.
    init(_ text: String, path: String, key: String) throws(FileError) {
        var found: (separator: Unicode.Scalar, header: Row)?
        for separator in Self.separators {
            var cursor = Cursor(text, separator, path)
            guard let row = try? cursor.row() else { continue }
            if row.fields.contains(key) {
                found = (separator, row)
                break
            }
        }
        separator = found?.separator ?? ","
        var cursor = Cursor(text, separator, path)
        guard let names = try cursor.row() else {
            throw FileError(path, expected: "a line with the names of the columns", found: "an empty file")
        }
        header = names.fields
        var seen: Set<String> = []
        for name in header where !name.isEmpty && !seen.insert(name).inserted {
            throw FileError(
                path, key: "line \(names.line)", expected: "columns of different names", found: "'\(name)' twice")
        }
        var (rows, faults) = ([Row](), [FileError]())
        while let row = try cursor.row() {
            if row.fields.count == header.count {
                rows.append(row)
                continue
            }
            let name = separator == "\t" ? "tab" : "'\(separator)'"
            faults.append(
                FileError(
                    path, key: "line \(row.line)", expected: "\(header.count) fields as in the header",
                    found: "\(row.fields.count) (a field that holds a \(name) stands in quotes)"))
        }
        (self.rows, self.faults) = (rows, faults)
    }
}

extension CSVTable {
    /// Reads row after row.
    private struct Cursor {
        private let bytes: [UInt8]
        private let separator: UInt8
        private let path: String
        private var position = 0
        private var line = 1
        private var lineStart = 0

        private static let quote = UInt8(ascii: "\"")
        private static let lineFeed = UInt8(ascii: "\n")
        private static let carriageReturn = UInt8(ascii: "\r")

        init(_ text: String, _ separator: Unicode.Scalar, _ path: String) {
            bytes = Array(text.utf8)
            self.separator = UInt8(ascii: separator)
            self.path = path
        }

        private var byte: UInt8? { position < bytes.count ? bytes[position] : nil }
        private var isAtEnd: Bool { byte == nil || byte == Self.lineFeed || byte == Self.carriageReturn }
        private var isBlank: Bool { (byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t")) && byte != separator }

        /// The next line that is not empty; nil at the end.
        mutating func row() throws(FileError) -> Row? {
            while true {
                skipBlanks()
                if byte == nil { return nil }
                if !isAtEnd { break }
                passLineEnd()
            }
            var row = Row(line: line, fields: [])
            while true {
                row.fields.append(try field())
                guard byte == separator else { break }
                position += 1
            }
            if byte != nil { passLineEnd() }
            return row
        }

        private mutating func field() throws(FileError) -> String {
            skipBlanks()
            if byte == Self.quote { return try quoted() }
            let start = position
            while !isAtEnd, byte != separator {
                guard byte != Self.quote else {
                    throw fault(
                        at: position, line, lineStart, "no quote inside a field without quotes",
                        "one (a field that holds a quote stands in quotes, and doubles it)")
                }
                position += 1
            }
            var end = position
            while end > start, bytes[end - 1] == UInt8(ascii: " ") || bytes[end - 1] == UInt8(ascii: "\t") { end -= 1 }
            return String(decoding: bytes[start..<end], as: UTF8.self)
        }

        private mutating func quoted() throws(FileError) -> String {
            let (opening, openingLine, openingStart) = (position, line, lineStart)
            var content: [UInt8] = []
            position += 1
            while let next = byte {
                if next == Self.quote {
                    position += 1
                    if byte != Self.quote {
                        skipBlanks()
                        guard isAtEnd || byte == separator else {
                            throw fault(
                                at: position, line, lineStart, "a separator or the line's end behind a closing quote",
                                "more text (a quote inside quotes is doubled)")
                        }
                        return String(decoding: content, as: UTF8.self)
                    }
                    content.append(next)
                    position += 1
                } else if next == Self.lineFeed || next == Self.carriageReturn {
                    // A line's end inside is one, however it is written.
                    content.append(Self.lineFeed)
                    passLineEnd()
                } else {
                    content.append(next)
                    position += 1
                }
            }
            throw fault(
                at: opening, openingLine, openingStart, "a closing quote to this one", "the end of the file")
        }

        private mutating func skipBlanks() { while isBlank { position += 1 } }

        /// Moves behind LF, CR or CRLF.
        private mutating func passLineEnd() {
            let isReturn = byte == Self.carriageReturn
            position += 1
            if isReturn, byte == Self.lineFeed { position += 1 }
            line += 1
            lineStart = position
        }

        private func fault(
            at place: Int, _ line: Int, _ lineStart: Int, _ expected: String, _ found: String
        ) -> FileError {
            let column = bytes[lineStart..<place].count { $0 & 0xC0 != 0x80 } + 1
            return FileError(path, key: "line \(line), column \(column)", expected: expected, found: found)
        }
    }
}
