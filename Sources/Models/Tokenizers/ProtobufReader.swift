import TensorIO

/// Reads the wire format of protocol buffers (https://protobuf.dev/programming-guides/encoding), field by field.
struct ProtobufReader {
    /// The value of a field; what it means depends on the message.
    enum Value {
        case varint(UInt64)
        case fixed64(UInt64)
        case bytes(Range<Int>)
        case fixed32(UInt32)
    }

    private let bytes: [UInt8]
    private let path: String
    private let end: Int
    private var position: Int

    /// Reads the message in a stretch of a file.
    init(_ bytes: [UInt8], in range: Range<Int>? = nil, path: String) {
        self.bytes = bytes
        self.path = path
        position = range?.lowerBound ?? 0
        end = range?.upperBound ?? bytes.count
    }

    /// The next field; nil at the end of the message.
    mutating func next() throws -> (number: Int, value: Value)? {
        guard position < end else { return nil }
        let start = position
        let tag = try varint()
        guard tag >> 3 > 0, tag >> 3 < 1 << 29 else {
            throw fault(at: start, expected: "a field number from 1 to \((1 << 29) - 1)", found: "\(tag >> 3)")
        }
        let number = Int(tag >> 3)
        switch tag & 7 {
        case 0: return (number, .varint(try varint()))
        case 1: return (number, .fixed64(try fixed(8)))
        case 2:
            let lengthStart = position
            let length = try varint()
            guard length <= UInt64(end - position) else {
                throw fault(
                    at: lengthStart, expected: "a length within the \(end - position) bytes that follow",
                    found: "\(length)")
            }
            let range = position..<position + Int(length)
            position = range.upperBound
            return (number, .bytes(range))
        case 5: return (number, .fixed32(UInt32(try fixed(4))))
        default: throw fault(at: start, expected: "a field of wire type 0, 1, 2 or 5", found: "type \(tag & 7)")
        }
    }

    private mutating func varint() throws -> UInt64 {
        let start = position
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 70, by: 7) {
            guard position < end else {
                throw fault(
                    at: start, expected: "a number", found: "the end of the \(end == bytes.count ? "file" : "message")")
            }
            let byte = bytes[position]
            position += 1
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return value }
        }
        throw fault(at: start, expected: "a number of at most 10 bytes", found: "a longer one")
    }

    private mutating func fixed(_ count: Int) throws -> UInt64 {
        guard end - position >= count else {
            throw fault(at: position, expected: "\(count) bytes", found: "\(end - position)")
        }
        defer { position += count }
        return (0..<count).reduce(0) { $0 | UInt64(bytes[position + $1]) << UInt64(8 * $1) }
    }

    private func fault(at position: Int, expected: String, found: String) -> FileError {
        FileError(path, key: "byte \(position)", expected: "a protocol buffer: \(expected)", found: found)
    }
}
