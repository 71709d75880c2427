/// A strict reader of JSON text (RFC 8259) that keeps the order of keys and refuses a key that comes twice.
///
/// It is driven by the caller, which asks for the kind of value that must come next; nothing is built that was not
/// asked for, so a hostile header costs no more memory than its own length.
package struct JSONScanner {
    /// What was expected at which byte, and what stood there.
    struct Fault: Error {
        var position: Int
        var expected: String
        var found: String
    }

    /// The keys of an object so far. Most objects have few, for which a hash table is a waste.
    private struct Keys {
        private var few: [String] = []
        private var many = Set<String>()

        /// Adds a key; false when it is there already.
        mutating func insert(_ key: String) -> Bool {
            if few.count < 8 {
                if few.contains(key) { return false }
                few.append(key)
                return true
            }
            if many.isEmpty { many = Set(few) }
            return many.insert(key).inserted
        }
    }

    private let bytes: [UInt8]
    private(set) var position = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// The next byte that is not white space, nil at the end.
    mutating func peek() -> UInt8? {
        while position < bytes.count {
            switch bytes[position] {
            case 0x20, 0x09, 0x0A, 0x0D: position += 1
            default: return bytes[position]
            }
        }
        return nil
    }

    /// An object; `member` must read the value of each key.
    mutating func object(_ member: (inout JSONScanner, String) throws -> Void) throws {
        try expect(UInt8(ascii: "{"), "an object")
        if take(UInt8(ascii: "}")) { return }
        var seen = Keys()
        repeat {
            let start = position
            let key = try string(as: "a key")
            guard seen.insert(key) else {
                throw Fault(position: start, expected: "each key once", found: "'\(printable(key))' twice")
            }
            try expect(UInt8(ascii: ":"), "':'")
            try member(&self, key)
        } while take(UInt8(ascii: ","))
        try expect(UInt8(ascii: "}"), "',' or '}'")
    }

    /// An array; `element` must read each element.
    mutating func array(_ element: (inout JSONScanner) throws -> Void) throws {
        try expect(UInt8(ascii: "["), "an array")
        if take(UInt8(ascii: "]")) { return }
        repeat { try element(&self) } while take(UInt8(ascii: ","))
        try expect(UInt8(ascii: "]"), "',' or ']'")
    }

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
                unescaped += bytes[pieceStart..<position]
                guard let text = String(validating: unescaped, as: UTF8.self) else {
                    throw Fault(position: start, expected: "a string in UTF-8", found: "other bytes")
                }
                position += 1
                return text
            case UInt8(ascii: "\\"):
                unescaped += bytes[pieceStart..<position]
                position += 1
                unescaped += String(try escape()).utf8
                pieceStart = position
            case 0x00..<0x20:
                throw fault("a string without control characters")
            default:
                position += 1
            }
        }
    }

    /// A whole number from 0 to `Int.max`.
    mutating func unsignedInteger() throws -> Int {
        let expected = "a whole number from 0 to \(Int.max)"
        _ = peek()
        let start = position
        try skipNumber(expected)
        let text = String(decoding: bytes[start..<position], as: UTF8.self)
        guard let value = Int(text), value >= 0, text != "-0" else {
            throw Fault(position: start, expected: expected, found: printable(text))
        }
        return value
    }

    /// The word `null`, if it is next.
    mutating func takeNull() -> Bool {
        guard peek() == UInt8(ascii: "n") else { return false }
        return takeWord("null")
    }

    /// Any value, which is checked and forgotten.
    mutating func skipValue(depth: Int = 0) throws {
        guard depth < 64 else { throw fault("nesting of at most 64 levels") }
        switch peek() {
        case UInt8(ascii: "{"):
            try object {
                try $0.skipValue(depth: depth + 1); _ = $1
            }
        case UInt8(ascii: "["): try array { try $0.skipValue(depth: depth + 1) }
        case UInt8(ascii: "\""): _ = try string()
        default:
            if takeWord("true") || takeWord("false") || takeWord("null") { return }
            try skipNumber("a value")
        }
    }

    /// Only white space may follow.
    mutating func end() throws {
        if peek() != nil { throw fault("nothing after the closing '}'") }
    }

    /// A fault at the current byte.
    func fault(_ expected: String) -> Fault {
        guard position < bytes.count else { return Fault(position: position, expected: expected, found: "the end") }
        let byte = bytes[position]
        let isPlain = (0x20..<0x7F).contains(byte)
        let found = isPlain ? "'\(Character(Unicode.Scalar(byte)))'" : "byte 0x\(String(byte, radix: 16))"
        return Fault(position: position, expected: expected, found: found)
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard peek() == byte else { return false }
        position += 1
        return true
    }

    private mutating func expect(_ byte: UInt8, _ expected: String) throws {
        if !take(byte) { throw fault(expected) }
    }

    private mutating func takeWord(_ word: StaticString) -> Bool {
        let end = position + word.utf8CodeUnitCount
        guard end <= bytes.count else { return false }
        let isHere = word.withUTF8Buffer { $0.elementsEqual(bytes[position..<end]) }
        if isHere { position = end }
        return isHere
    }

    private mutating func skipDigits(_ expected: String) throws {
        let start = position
        while position < bytes.count, (0x30...0x39).contains(bytes[position]) { position += 1 }
        if position == start { throw fault(expected) }
    }

    private mutating func skipNumber(_ expected: String) throws {
        if position < bytes.count, bytes[position] == UInt8(ascii: "-") { position += 1 }
        let first = position
        try skipDigits(expected)
        if bytes[first] == UInt8(ascii: "0"), position > first + 1 {
            throw Fault(position: first, expected: expected, found: "a leading zero")
        }
        if position < bytes.count, bytes[position] == UInt8(ascii: ".") {
            position += 1
            try skipDigits("a digit")
        }
        if position < bytes.count, bytes[position] | 0x20 == UInt8(ascii: "e") {
            position += 1
            if position < bytes.count, bytes[position] == UInt8(ascii: "+") || bytes[position] == UInt8(ascii: "-") {
                position += 1
            }
            try skipDigits("a digit")
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
        throw Fault(position: start, expected: "a pair of surrogate escapes", found: "a lone surrogate")
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

extension JSONScanner {
    /// The keys of the object that is the value of `key` in the object `text`, in their order; nil when there is none, or
    /// when a key comes twice.
    package static func keys(of key: String, in text: String) -> [String]? {
        var scanner = JSONScanner(Array(text.utf8))
        var keys: [String]?
        try? scanner.object { scanner, name in
            guard name == key else { return try scanner.skipValue() }
            var found: [String] = []
            try scanner.object { scanner, name in
                found.append(name)
                try scanner.skipValue()
            }
            keys = found
        }
        return keys
    }
}
