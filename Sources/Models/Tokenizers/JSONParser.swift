import TensorIO

/// Turns the bytes of a JSON file into a `JSONValue`.
struct JSONParser {
    private let bytes: [UInt8]
    private let path: String
    private var position = 0

    init(_ bytes: [UInt8], path: String) {
        self.bytes = bytes
        self.path = path
    }

    /// The one value of the file.
    mutating func document() throws -> JSONValue {
        let value = try parseValue(depth: 0)
        if peek() != nil { throw fault("nothing after the value") }
        return value
    }

    private mutating func parseValue(depth: Int) throws -> JSONValue {
        guard depth < 64 else { throw fault("at most 64 levels of nesting") }
        switch peek() {
        case UInt8(ascii: "{"): return try parseObject(depth: depth)
        case UInt8(ascii: "["): return try parseArray(depth: depth)
        case UInt8(ascii: "\""): return .string(try parseString())
        case UInt8(ascii: "t"): try expect(word: "true"); return .bool(true)
        case UInt8(ascii: "f"): try expect(word: "false"); return .bool(false)
        case UInt8(ascii: "n"): try expect(word: "null"); return .null
        default: return .number(try parseNumber())
        }
    }

    private mutating func parseObject(depth: Int) throws -> JSONValue {
        position += 1
        var members: [(key: String, value: JSONValue)] = []
        if take(UInt8(ascii: "}")) { return .object(members) }
        repeat {
            guard peek() == UInt8(ascii: "\"") else { throw fault("a key") }
            let key = try parseString()
            guard take(UInt8(ascii: ":")) else { throw fault("':'") }
            members.append((key, try parseValue(depth: depth + 1)))
        } while take(UInt8(ascii: ","))
        guard take(UInt8(ascii: "}")) else { throw fault("',' or '}'") }
        return .object(members)
    }

    private mutating func parseArray(depth: Int) throws -> JSONValue {
        position += 1
        var elements: [JSONValue] = []
        if take(UInt8(ascii: "]")) { return .array(elements) }
        repeat { elements.append(try parseValue(depth: depth + 1)) } while take(UInt8(ascii: ","))
        guard take(UInt8(ascii: "]")) else { throw fault("',' or ']'") }
        return .array(elements)
    }

    private mutating func parseString() throws -> String {
        position += 1
        let start = position
        var unescaped: [UInt8]?
        var copied = start
        while true {
            guard position < bytes.count else { throw fault("'\"' at the end of a string") }
            switch bytes[position] {
            case UInt8(ascii: "\""):
                let text: String?
                if unescaped != nil {
                    unescaped! += bytes[copied..<position]
                    text = String(validating: unescaped!, as: UTF8.self)
                } else {
                    text = String(validating: bytes[start..<position], as: UTF8.self)
                }
                guard let text else { throw fault("a string in UTF-8") }
                position += 1
                return text
            case UInt8(ascii: "\\"):
                unescaped = (unescaped ?? []) + bytes[copied..<position]
                position += 1
                unescaped! += String(try parseEscape()).utf8
                copied = position
            case 0..<0x20: throw fault("a string without control characters")
            default: position += 1
            }
        }
    }

    private mutating func parseEscape() throws -> Unicode.Scalar {
        guard position < bytes.count else { throw fault("an escaped character") }
        let byte = bytes[position]
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(byte)
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{C}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"):
            let high = try parseCodeUnit()
            if let scalar = Unicode.Scalar(high) { return scalar }
            if bytes[position...].starts(with: [UInt8(ascii: "\\"), UInt8(ascii: "u")]) {
                position += 2
                let low = try parseCodeUnit()
                if high < 0xDC00, 0xDC00..<0xE000 ~= low,
                    let scalar = Unicode.Scalar(0x10000 + (high - 0xD800) << 10 + (low - 0xDC00))
                {
                    return scalar
                }
            }
            throw fault("a pair of surrogates")
        default:
            position -= 1
            throw fault("an escaped character of JSON")
        }
    }

    private mutating func parseCodeUnit() throws -> UInt32 {
        var unit: UInt32 = 0
        for _ in 0..<4 {
            guard position < bytes.count, let digit = Character(Unicode.Scalar(bytes[position])).hexDigitValue else {
                throw fault("four hexadecimal digits")
            }
            unit = unit << 4 | UInt32(digit)
            position += 1
        }
        return unit
    }

    private mutating func parseNumber() throws -> Double {
        let start = position
        while position < bytes.count {
            switch bytes[position] {
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "+"), UInt8(ascii: "."),
                UInt8(ascii: "e"), UInt8(ascii: "E"):
                position += 1
                continue
            default: break
            }
            break
        }
        // A leading '+' or '.' and hexadecimal forms are Swift's, not JSON's.
        guard position > start, bytes[start] == UInt8(ascii: "-") || 0x30...0x39 ~= bytes[start],
            let number = Double(String(decoding: bytes[start..<position], as: UTF8.self)), number.isFinite
        else {
            position = start
            throw fault("a value")
        }
        return number
    }

    private mutating func expect(word: StaticString) throws {
        let isHere = word.withUTF8Buffer { bytes[position...].starts(with: $0) }
        guard isHere else { throw fault("'\(word)'") }
        position += word.utf8CodeUnitCount
    }

    /// The next byte that is not white space; nil at the end.
    private mutating func peek() -> UInt8? {
        while position < bytes.count {
            let byte = bytes[position]
            guard byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 else { return byte }
            position += 1
        }
        return nil
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard peek() == byte else { return false }
        position += 1
        return true
    }

    private func fault(_ expected: String) -> FileError {
        let found: String
        if position >= bytes.count {
            found = "the end of the file"
        } else if 0x20..<0x7F ~= bytes[position] {
            found = "'\(Character(Unicode.Scalar(bytes[position])))'"
        } else {
            found = "byte 0x\(String(bytes[position], radix: 16))"
        }
        return FileError(path, key: "byte \(position)", expected: "JSON: \(expected)", found: found)
    }
}
