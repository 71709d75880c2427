extension JSONReader {
    /// A string, its escapes resolved.
    mutating func string(as expected: String = "a string") throws -> String {
        try expect(UInt8(ascii: "\""), expected)
        let start = position
        var unescaped: [UInt8] = []
        var pieceStart = position
        while true {
            guard position < bytes.count else { throw fault("'\"' at the end of a string") }
            let byte = bytes[position]
            switch byte {
            case UInt8(ascii: "\""):
                let piece = bytes[pieceStart..<position]
                // Most strings have no escapes: they need no buffer of their own.
                let text =
                    pieceStart == start
                    ? String(validating: piece, as: UTF8.self) : String(validating: unescaped + piece, as: UTF8.self)
                guard let text else {
                    throw JSONFault(position: start, expected: "a string in UTF-8", found: "other bytes")
                }
                position += 1
                return text
            case UInt8(ascii: "\\"):
                unescaped += bytes[pieceStart..<position]
                position += 1
                unescaped += UTF8.encode(try escape())!
                pieceStart = position
            case 0x00..<0x20:
                throw fault("a string without control characters")
            default:
                position += 1
            }
        }
    }

    private mutating func escape() throws -> Unicode.Scalar {
        guard position < bytes.count else { throw fault("an escaped character") }
        let byte = bytes[position]
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): break
        case UInt8(ascii: "b"): position += 1; return "\u{8}"
        case UInt8(ascii: "f"): position += 1; return "\u{C}"
        case UInt8(ascii: "n"): position += 1; return "\n"
        case UInt8(ascii: "r"): position += 1; return "\r"
        case UInt8(ascii: "t"): position += 1; return "\t"
        case UInt8(ascii: "u"): return try unicodeEscape()
        default: throw fault("an escaped character of JSON")
        }
        position += 1
        return Unicode.Scalar(byte)
    }

    /// `uXXXX`, or two of them for a character beyond the basic plane.
    private mutating func unicodeEscape() throws -> Unicode.Scalar {
        let start = position
        let high = try codeUnit()
        if let scalar = Unicode.Scalar(high) { return scalar }
        if (0xD800..<0xDC00).contains(high), position + 1 < bytes.count, bytes[position] == UInt8(ascii: "\\"),
            bytes[position + 1] == UInt8(ascii: "u")
        {
            position += 1
            let low = try codeUnit()
            if (0xDC00..<0xE000).contains(low),
                let scalar = Unicode.Scalar(0x10000 + (UInt32(high) - 0xD800) << 10 + UInt32(low) - 0xDC00)
            {
                return scalar
            }
        }
        throw JSONFault(position: start, expected: "a pair of surrogate escapes", found: "a lone surrogate")
    }

    private mutating func codeUnit() throws -> UInt16 {
        var value: UInt16 = 0
        position += 1
        for _ in 0..<4 {
            guard position < bytes.count, let digit = Character(Unicode.Scalar(bytes[position])).hexDigitValue else {
                throw fault("four hexadecimal digits")
            }
            value = value << 4 | UInt16(digit)
            position += 1
        }
        return value
    }
}
