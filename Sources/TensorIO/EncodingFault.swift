/// The first place of a text that is not UTF-8, and what its bytes are instead, as far as they show it.
package struct EncodingFault: Error, Equatable {
    /// What such a place is expected to be.
    package static let expected = "text in UTF-8"
    /// The line, counted from 1.
    package let line: Int
    /// The character in the line, counted from 1.
    package let column: Int
    /// What was found.
    package let found: String

    /// A fault at an offset; everything before it is UTF-8.
    init(_ bytes: [UInt8], at offset: Int, found: String) {
        var (line, start) = (1, 0)
        for (i, byte) in bytes[..<offset].enumerated() {
            // A line feed behind a carriage return ends the same line.
            let follows = byte == UInt8(ascii: "\n") && i > 0 && bytes[i - 1] == UInt8(ascii: "\r")
            if byte == UInt8(ascii: "\r") || byte == UInt8(ascii: "\n") && !follows { line += 1 }
            if byte == UInt8(ascii: "\r") || byte == UInt8(ascii: "\n") { start = i + 1 }
        }
        self.line = line
        column = bytes[start..<offset].count { $0 & 0xC0 != 0x80 } + 1
        self.found = found
    }

    /// A text in UTF-16 or UTF-32, told by its mark of byte order or, of Latin letters, by the zero bytes; nil for others.
    init?(wideCharactersIn bytes: [UInt8]) {
        let name: String
        if bytes.starts(with: [0xFF, 0xFE, 0, 0]) || bytes.starts(with: [0, 0, 0xFE, 0xFF]) {
            name = "UTF-32"
        } else if bytes.starts(with: [0xFF, 0xFE]) {
            name = "UTF-16 (little-endian)"
        } else if bytes.starts(with: [0xFE, 0xFF]) {
            name = "UTF-16 (big-endian)"
        } else {
            let head = bytes.prefix(4096 & ~1)
            let pairs = head.count / 2
            guard pairs > 0 else { return nil }
            let first = (0..<pairs).count { head[2 * $0] == 0 && head[2 * $0 + 1] != 0 }
            let second = (0..<pairs).count { head[2 * $0 + 1] == 0 && head[2 * $0] != 0 }
            if second * 2 > pairs {
                name = "UTF-16 (little-endian)"
            } else if first * 2 > pairs {
                name = "UTF-16 (big-endian)"
            } else {
                return nil
            }
        }
        (line, column) = (1, 1)
        found = name + Self.remedy
    }

    /// A text that has bytes which are none of UTF-8.
    init(illFormed bytes: [UInt8]) {
        let offset = Self.firstIllFormed(bytes) ?? 0
        let byte = bytes[offset]
        let digits = "the byte \(String(byte, radix: 16, uppercase: true))"
        // Western words have such letters one by one; of two-byte encodings they come in long runs.
        let run = bytes[..<offset].lastIndex { $0 < 0x80 }.map { $0 + 1 } ?? 0
        let near = bytes[run...].prefix(4096)
        let longest = near.split { $0 < 0x80 }.map(\.count).max() ?? 0
        let found: String
        if near.contains(where: { $0 < 0x20 && !(0x09...0x0D ~= $0) }) {
            found = "\(digits) of a binary file"
        } else if Self.isCutOff(bytes, at: offset) {
            found = "the end of the file within a character"
        } else if longest <= 3, let character = Self.windows1252(byte) {
            found = "\(digits), '\(character)' of Windows-1252 (cp1252)" + Self.remedy
        } else {
            found = "\(digits) of another encoding" + Self.remedy
        }
        self.init(bytes, at: offset, found: found)
    }

    private static let remedy = " (save the file as UTF-8)"

    /// The offset of the first byte that begins no well-formed character (The Unicode Standard, table 3-7).
    private static func firstIllFormed(_ bytes: [UInt8]) -> Int? {
        var position = 0
        while position < bytes.count {
            guard let width = wellFormed(bytes, at: position) else { return position }
            position += width
        }
        return nil
    }

    /// The width of the character at a place; nil where there is none.
    private static func wellFormed(_ bytes: [UInt8], at position: Int) -> Int? {
        let first = bytes[position]
        if first < 0x80 { return 1 }
        guard let (width, second) = following(first), position + width <= bytes.count,
            second ~= bytes[position + 1],
            bytes[position + 1..<position + width].allSatisfy({ $0 & 0xC0 == 0x80 })
        else { return nil }
        return width
    }

    /// How many bytes a character of several has by its first one, and what the second may be.
    private static func following(_ first: UInt8) -> (width: Int, second: ClosedRange<UInt8>)? {
        switch first {
        case 0xC2...0xDF: (2, 0x80...0xBF)
        case 0xE0: (3, 0xA0...0xBF)
        case 0xED: (3, 0x80...0x9F)
        case 0xE1...0xEF: (3, 0x80...0xBF)
        case 0xF0: (4, 0x90...0xBF)
        case 0xF1...0xF3: (4, 0x80...0xBF)
        case 0xF4: (4, 0x80...0x8F)
        default: nil
        }
    }

    /// Whether nothing but the rest of the last character is missing. One byte alone says too little: `é` of Windows-1252
    /// begins a character of three.
    private static func isCutOff(_ bytes: [UInt8], at offset: Int) -> Bool {
        let rest = bytes[offset...]
        guard rest.count > 1, let (width, second) = following(bytes[offset]), rest.count < width else { return false }
        return second ~= bytes[offset + 1] && rest.dropFirst().allSatisfy { $0 & 0xC0 == 0x80 }
    }

    /// The character of a byte above 7F in Windows-1252; nil for the five that it lacks.
    private static func windows1252(_ byte: UInt8) -> Character? {
        guard byte < 0xA0 else { return Character(Unicode.Scalar(byte)) }
        let character = Array("€\u{81}‚ƒ„…†‡ˆ‰Š‹Œ\u{8D}Ž\u{8F}\u{90}‘’“”•–—˜™š›œ\u{9D}žŸ")[Int(byte) - 0x80]
        return [0x81, 0x8D, 0x8F, 0x90, 0x9D].contains(byte) ? nil : character
    }
}
