/// Reads the parts of a GGUF header one after the other, never beyond the file's end and never more memory than the
/// file is long.
struct GGUFCursor {
    /// How deep arrays of arrays may go.
    static let deepestArray = 4

    private let bytes: UnsafeRawBufferPointer
    private let path: String
    private(set) var position = 0
    /// What is being read, for errors.
    var key = "header"

    /// `bytes` must outlive the cursor.
    init(_ bytes: UnsafeRawBufferPointer, path: String) {
        self.bytes = bytes
        self.path = path
    }

    /// How many bytes are left.
    var remaining: Int { bytes.count - position }

    func fault(_ expected: String, _ found: String, nearest: String? = nil) -> FileError {
        FileError(path, key: printable(key), expected: expected, found: found, nearest: nearest)
    }

    /// A whole number of fixed width.
    mutating func integer<Value: FixedWidthInteger>(_ what: String, as type: Value.Type = Value.self) throws -> Value {
        let size = MemoryLayout<Value>.size
        guard size <= remaining else { throw fault("\(size) bytes for \(what)", "the file's end after \(remaining)") }
        defer { position += size }
        return Value(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: Value.self))
    }

    /// A count of things of which each takes at least `least` bytes of the file.
    mutating func count(of what: String, least: Int) throws -> Int {
        let value = try integer("the number of \(what)", as: UInt64.self)
        guard value <= UInt64(remaining / max(least, 1)) else {
            throw fault("at most \(remaining / max(least, 1)) \(what) in the \(remaining) bytes left", "\(value)")
        }
        return Int(value)
    }

    /// A text behind its length.
    mutating func text(_ what: String) throws -> String {
        let length = try integer("the length of \(what)", as: UInt64.self)
        guard length <= UInt64(remaining) else {
            throw fault("\(what) within the \(remaining) bytes left", "a length of \(length)")
        }
        let raw = bytes[position..<position + Int(length)]
        guard let text = String(validating: raw, as: UTF8.self) else {
            throw fault("\(what) in UTF-8", "other bytes")
        }
        position += Int(length)
        return text
    }

    /// A metadata value: its type, then itself.
    mutating func value() throws -> GGUFValue {
        switch try valueType() {
        case .uint8: .uint8(try integer("a value"))
        case .int8: .int8(try integer("a value"))
        case .uint16: .uint16(try integer("a value"))
        case .int16: .int16(try integer("a value"))
        case .uint32: .uint32(try integer("a value"))
        case .int32: .int32(try integer("a value"))
        case .uint64: .uint64(try integer("a value"))
        case .int64: .int64(try integer("a value"))
        case .float32: .float32(Float(bitPattern: try integer("a value")))
        case .float64: .float64(Double(bitPattern: try integer("a value")))
        case .bool: .bool(try flag())
        case .string: .string(try text("a text"))
        case .array: .array(try array())
        }
    }

    private mutating func valueType() throws -> GGUFValueType {
        let code = try integer("a value's type", as: UInt32.self)
        guard let type = GGUFValueType(rawValue: code) else {
            throw fault("a value's type from 0 to \(GGUFValueType.allCases.count - 1)", "\(code)")
        }
        return type
    }

    private mutating func flag() throws -> Bool {
        let value = try integer("a truth value", as: UInt8.self)
        guard value <= 1 else { throw fault("0 or 1 for a truth value", "\(value)") }
        return value == 1
    }

    private mutating func array() throws -> GGUFArray {
        let type = try valueType()
        let count = try count(of: "elements", least: type.byteCount ?? 8)
        let start = position
        try skip(count, type, depth: 1)
        return GGUFArray(elementType: type, count: count, bytes: Array(bytes[start..<position]))
    }

    /// Passes over the elements of an array and makes sure that they are there.
    private mutating func skip(_ count: Int, _ type: GGUFValueType, depth: Int) throws {
        if let size = type.byteCount {
            position += count * size  // `count(of:least:)` has seen to it that they fit
            return
        }
        guard depth < Self.deepestArray else { throw fault("at most \(Self.deepestArray) levels of arrays", "more") }
        for _ in 0..<count {
            if type == .string {
                let length = try integer("the length of a text", as: UInt64.self)
                guard length <= UInt64(remaining) else {
                    throw fault("a text within the \(remaining) bytes left", "a length of \(length)")
                }
                position += Int(length)
            } else {
                let inner = try valueType()
                let innerCount = try self.count(of: "elements", least: inner.byteCount ?? 8)
                try skip(innerCount, inner, depth: depth + 1)
            }
        }
    }
}
