/// A strict reader of JSON text (RFC 8259), which refuses a key that comes twice in an object, lone surrogates, and nesting of
/// more than 64 levels.
///
/// It is driven by its caller, which asks for the kind of value that must come next: nothing is built that was not asked for,
/// so a hostile text costs no more memory than its own length. ``JSONValue/init(parsing:)`` asks for whatever comes.
struct JSONReader {
    /// The deepest nesting of objects and arrays.
    static let deepestNesting = 64

    let bytes: [UInt8]
    var position = 0
    private var depth = 0

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

    // MARK: Objects and arrays

    /// An object; `member` must read the value of each key.
    mutating func object(_ member: (inout JSONReader, String) throws -> Void) throws {
        var seen = KeySet()
        try members { reader, key, position in
            guard seen.insert(key) else { throw JSONFault(repeated: key, at: position) }
            try member(&reader, key)
        }
    }

    /// An object whose caller looks for repeated keys itself, since it keeps the keys anyhow; `member` gets each key with its
    /// place and must read the value.
    mutating func members(_ member: (inout JSONReader, String, _ position: Int) throws -> Void) throws {
        try nested(in: UInt8(ascii: "{"), "an object") { reader in
            if reader.take(UInt8(ascii: "}")) { return }
            repeat {
                _ = reader.peek()
                let start = reader.position
                let key = try reader.string(as: "a key")
                try reader.expect(UInt8(ascii: ":"), "':'")
                try member(&reader, key, start)
            } while reader.take(UInt8(ascii: ","))
            try reader.expect(UInt8(ascii: "}"), "',' or '}'")
        }
    }

    /// An array; `element` must read each element.
    mutating func array(_ element: (inout JSONReader) throws -> Void) throws {
        try nested(in: UInt8(ascii: "["), "an array") { reader in
            if reader.take(UInt8(ascii: "]")) { return }
            repeat { try element(&reader) } while reader.take(UInt8(ascii: ","))
            try reader.expect(UInt8(ascii: "]"), "',' or ']'")
        }
    }

    private mutating func nested(
        in bracket: UInt8, _ expected: String, _ body: (inout JSONReader) throws -> Void
    ) throws {
        guard peek() == bracket else { throw fault(expected) }
        guard depth < Self.deepestNesting else { throw fault("nesting of at most \(Self.deepestNesting) levels") }
        position += 1
        depth += 1
        try body(&self)
        depth -= 1
    }

    // MARK: Words and numbers

    /// A whole number from 0 to `Int.max`, written without fraction and exponent.
    mutating func unsignedInteger() throws -> Int {
        let expected = "a whole number from 0 to \(Int.max)"
        _ = peek()
        let start = position
        let text = try numberText(expected)
        guard let value = Int(text), value >= 0, text != "-0" else {
            throw JSONFault(position: start, expected: expected, found: printable(text))
        }
        return value
    }

    /// A number that a `Double` can hold, infinities excluded.
    mutating func number() throws -> JSONNumber {
        _ = peek()
        let start = position
        let text = try numberText("a value")
        guard let number = JSONNumber(literal: text) else {
            throw JSONFault(position: start, expected: "a number of 64-bit floating point", found: printable(text))
        }
        return number
    }

    /// The word, if it is next.
    mutating func take(word: StaticString) -> Bool {
        _ = peek()
        let end = position + word.utf8CodeUnitCount
        guard end <= bytes.count else { return false }
        let isHere = word.withUTF8Buffer { $0.elementsEqual(bytes[position..<end]) }
        if isHere { position = end }
        return isHere
    }

    private mutating func numberText(_ expected: String) throws -> String {
        let start = position
        if position < bytes.count, bytes[position] == UInt8(ascii: "-") { position += 1 }
        let first = position
        try skipDigits(expected)
        if bytes[first] == UInt8(ascii: "0"), position > first + 1 {
            throw JSONFault(position: first, expected: expected, found: "a leading zero")
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
        return String(decoding: bytes[start..<position], as: UTF8.self)
    }

    private mutating func skipDigits(_ expected: String) throws {
        let start = position
        while position < bytes.count, (0x30...0x39).contains(bytes[position]) { position += 1 }
        if position == start { throw fault(expected) }
    }

    // MARK: Any value

    /// Any value.
    mutating func value() throws -> JSONValue {
        switch peek() {
        case UInt8(ascii: "{"):
            var members: [JSONValue.Member] = []
            try object { reader, key in members.append(JSONValue.Member(key: key, value: try reader.value())) }
            return .object(members)
        case UInt8(ascii: "["):
            var elements: [JSONValue] = []
            try array { elements.append(try $0.value()) }
            return .array(elements)
        case UInt8(ascii: "\""): return .string(try string())
        default:
            if take(word: "true") { return .bool(true) }
            if take(word: "false") { return .bool(false) }
            if take(word: "null") { return .null }
            return .number(try number())
        }
    }

    /// Any value, which is checked and forgotten.
    mutating func skipValue() throws {
        switch peek() {
        case UInt8(ascii: "{"):
            try object { reader, _ in try reader.skipValue() }
        case UInt8(ascii: "["): try array { try $0.skipValue() }
        case UInt8(ascii: "\""): _ = try string()
        default:
            if take(word: "true") || take(word: "false") || take(word: "null") { return }
            _ = try numberText("a value")
        }
    }

    /// Only white space may follow.
    mutating func end(_ expected: String = "nothing after the value") throws {
        if peek() != nil { throw fault(expected) }
    }

    // MARK: Bytes

    /// A fault at the current byte.
    func fault(_ expected: String) -> JSONFault {
        guard position < bytes.count else { return JSONFault(position: position, expected: expected, found: nil) }
        let byte = bytes[position]
        let isPlain = (0x20..<0x7F).contains(byte)
        let found = isPlain ? "'\(Character(Unicode.Scalar(byte)))'" : "byte 0x\(String(byte, radix: 16))"
        return JSONFault(position: position, expected: expected, found: found)
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard peek() == byte else { return false }
        position += 1
        return true
    }

    /// The byte, white space before it passed over.
    mutating func expect(_ byte: UInt8, _ expected: String) throws {
        if !take(byte) { throw fault(expected) }
    }
}

/// The keys of an object so far. Most objects have few, for which a hash table is a waste.
private struct KeySet {
    /// A key. `String` takes canonically equivalent texts for one, a vocabulary does not.
    private struct Key: Hashable {
        let text: String

        static func == (a: Key, b: Key) -> Bool { a.text.utf8.elementsEqual(b.text.utf8) }
    }

    private var few: [Key] = []
    private var many = Set<Key>()

    /// Adds a key; false when it is there already.
    mutating func insert(_ text: String) -> Bool {
        let key = Key(text: text)
        if few.count < 8 {
            if few.contains(key) { return false }
            few.append(key)
            return true
        }
        if many.isEmpty { many = Set(few) }
        return many.insert(key).inserted
    }
}
