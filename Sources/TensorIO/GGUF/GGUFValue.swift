/// The type of a metadata value (`enum gguf_metadata_value_type` of ggml's `docs/gguf.md`).
public enum GGUFValueType: UInt32, Sendable, CaseIterable {
    case uint8 = 0
    case int8, uint16, int16, uint32, int32, float32, bool, string, array, uint64, int64, float64

    /// The size of one value in bytes; nil for strings and arrays.
    var byteCount: Int? {
        switch self {
        case .uint8, .int8, .bool: 1
        case .uint16, .int16: 2
        case .uint32, .int32, .float32: 4
        case .uint64, .int64, .float64: 8
        case .string, .array: nil
        }
    }
}

/// A value of a GGUF file's metadata.
public enum GGUFValue: Hashable, Sendable {
    case uint8(UInt8)
    case int8(Int8)
    case uint16(UInt16)
    case int16(Int16)
    case uint32(UInt32)
    case int32(Int32)
    case float32(Float)
    case bool(Bool)
    case string(String)
    case array(GGUFArray)
    case uint64(UInt64)
    case int64(Int64)
    case float64(Double)

    /// The value's type.
    public var type: GGUFValueType {
        switch self {
        case .uint8: .uint8
        case .int8: .int8
        case .uint16: .uint16
        case .int16: .int16
        case .uint32: .uint32
        case .int32: .int32
        case .float32: .float32
        case .bool: .bool
        case .string: .string
        case .array: .array
        case .uint64: .uint64
        case .int64: .int64
        case .float64: .float64
        }
    }

    /// The value as a whole number, whatever its width; nil for other types and numbers above `Int.max`.
    public var integer: Int? {
        switch self {
        case .uint8(let value): Int(value)
        case .int8(let value): Int(value)
        case .uint16(let value): Int(value)
        case .int16(let value): Int(value)
        case .uint32(let value): Int(value)
        case .int32(let value): Int(value)
        case .uint64(let value): Int(exactly: value)
        case .int64(let value): Int(value)
        default: nil
        }
    }

    /// The value as a number, whole or not; nil for texts, truth values and arrays.
    public var number: Double? {
        switch self {
        case .float32(let value): Double(value)
        case .float64(let value): value
        default: integer.map { Double($0) }
        }
    }

    /// A text.
    public var text: String? {
        if case .string(let text) = self { return text }
        return nil
    }

    /// A truth value.
    public var flag: Bool? {
        if case .bool(let flag) = self { return flag }
        return nil
    }

    /// An array.
    public var array: GGUFArray? {
        if case .array(let array) = self { return array }
        return nil
    }
}

extension GGUFValue: CustomStringConvertible {
    /// The value in short, on one line.
    public var description: String {
        switch self {
        case .string(let text): "'\(printable(text))'"
        case .bool(let flag): "\(flag)"
        case .float32(let value): "\(value)"
        case .array(let array): "\(array.count) values of type \(array.elementType)"
        case .uint64(let value): "\(value)"
        default: integer.map { "\($0)" } ?? number.map { "\($0)" } ?? ""
        }
    }
}

/// An array of a GGUF file's metadata, kept as its bytes and decoded when asked for: a hostile file costs no more memory
/// than its own length.
public struct GGUFArray: Hashable, Sendable {
    /// The type of each element.
    public let elementType: GGUFValueType
    /// The number of elements.
    public let count: Int
    /// The elements as in the file.
    let bytes: [UInt8]

    init(elementType: GGUFValueType, count: Int, bytes: [UInt8]) {
        self.elementType = elementType
        self.count = count
        self.bytes = bytes
    }

    /// An array of texts.
    public init(_ texts: [String]) {
        var bytes: [UInt8] = []
        for text in texts { bytes.appendGGUF(text) }
        self.init(elementType: .string, count: texts.count, bytes: bytes)
    }

    /// An array of `float32` numbers.
    public init(_ numbers: [Float]) {
        var bytes: [UInt8] = []
        for number in numbers { bytes.appendLittleEndian(number.bitPattern) }
        self.init(elementType: .float32, count: numbers.count, bytes: bytes)
    }

    /// An array of `int32` numbers.
    public init(_ numbers: [Int32]) {
        var bytes: [UInt8] = []
        for number in numbers { bytes.appendLittleEndian(number) }
        self.init(elementType: .int32, count: numbers.count, bytes: bytes)
    }

    /// An array of bytes.
    public init(_ bytes: [UInt8]) { self.init(elementType: .uint8, count: bytes.count, bytes: bytes) }

    /// The elements, where they are texts in UTF-8.
    public var texts: [String]? {
        guard elementType == .string else { return nil }
        return bytes.withUnsafeBytes { raw -> [String]? in
            var texts: [String] = []
            var position = 0
            while texts.count < count {
                let length = Int(UInt64(littleEndian: raw.loadUnaligned(fromByteOffset: position, as: UInt64.self)))
                let start = position + 8
                guard let text = String(validating: raw[start..<start + length], as: UTF8.self) else { return nil }
                texts.append(text)
                position = start + length
            }
            return texts
        }
    }

    /// The elements, where they are numbers; whole numbers above 2^53 are rounded.
    public var numbers: [Double]? {
        guard let size = elementType.byteCount, elementType != .bool else { return nil }
        return bytes.withUnsafeBytes { raw in
            (0..<count).map { place in
                func load<Value: FixedWidthInteger>(_ type: Value.Type) -> Value {
                    Value(littleEndian: raw.loadUnaligned(fromByteOffset: place * size, as: Value.self))
                }
                return switch elementType {
                case .uint8: Double(load(UInt8.self))
                case .int8: Double(load(Int8.self))
                case .uint16: Double(load(UInt16.self))
                case .int16: Double(load(Int16.self))
                case .uint32: Double(load(UInt32.self))
                case .int32: Double(load(Int32.self))
                case .uint64: Double(load(UInt64.self))
                case .int64: Double(load(Int64.self))
                case .float32: Double(Float(bitPattern: load(UInt32.self)))
                default: Double(bitPattern: load(UInt64.self))
                }
            }
        }
    }

    /// The elements, where they are bytes, signed or not.
    public var rawBytes: [UInt8]? { elementType == .uint8 || elementType == .int8 ? bytes : nil }
}

extension [UInt8] {
    /// Appends a number as GGUF writes it.
    mutating func appendLittleEndian(_ value: some FixedWidthInteger) {
        Swift.withUnsafeBytes(of: value.littleEndian) { append(contentsOf: $0) }
    }

    /// Appends a text behind its length.
    mutating func appendGGUF(_ text: String) {
        appendLittleEndian(UInt64(text.utf8.count))
        append(contentsOf: text.utf8)
    }
}
