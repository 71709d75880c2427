import Testing

/// A file that must be refused, and what the refusal must say.
struct MalformedSafetensors: CustomTestStringConvertible, Sendable {
    let testDescription: String
    let bytes: [UInt8]
    let key: String?
    let expected: String
    let found: String

    init(_ name: String, _ bytes: [UInt8], key: String?, expected: String, found: String) {
        testDescription = name
        self.bytes = bytes
        self.key = key
        self.expected = expected
        self.found = found
    }

    /// A header of one entry `a`.
    init(
        _ name: String, dtype: String = "U8", shape: String, offsets: String, data: Int, expected: String, found: String
    ) {
        let header = "{\"a\":{\"dtype\":\"\(dtype)\",\"shape\":\(shape),\"data_offsets\":\(offsets)}}"
        self.init(
            name, safetensors(header, [UInt8](repeating: 0, count: data)), key: "a", expected: expected, found: found)
    }

    /// Two entries `a` and `b` of bytes.
    private static func pair(_ a: Range<Int>, _ b: Range<Int>, second: String = "b", data: Int) -> [UInt8] {
        func entry(_ range: Range<Int>) -> String {
            "{\"dtype\":\"U8\",\"shape\":[\(range.count)],\"data_offsets\":[\(range.lowerBound),\(range.upperBound)]}"
        }
        return safetensors("{\"a\":\(entry(a)),\"\(second)\":\(entry(b))}", [UInt8](repeating: 0, count: data))
    }

    static let all = badLengths + badTexts + badNumbers + badOffsets

    static let badLengths: [MalformedSafetensors] = [
        .init("an empty file", [], key: "header length", expected: "8 bytes", found: "a file of 0 bytes"),
        .init(
            "seven bytes", [1, 2, 3, 4, 5, 6, 7], key: "header length", expected: "8 bytes", found: "a file of 7 bytes"),
        .init(
            "a header longer than the cap", safetensors("{}", declaredLength: 100_000_001), key: "header length",
            expected: "at most 100000000 bytes", found: "100000001"),
        .init(
            "a header of 2^64 - 1 bytes", safetensors("{}", declaredLength: .max), key: "header length",
            expected: "at most 100000000 bytes", found: "18446744073709551615"),
        .init(
            "a header longer than the file", safetensors("{}", declaredLength: 3), key: "header length",
            expected: "at most the 2 bytes that follow", found: "3"),
        .init("no header", safetensors(""), key: "header", expected: "'{' as the first character", found: "0 bytes"),
        .init(
            "a header that is an array", safetensors("[1]"), key: "header", expected: "'{' as the first character",
            found: "byte 91"),
    ]

    static let badTexts: [MalformedSafetensors] = [
        .init("a header cut off", safetensors("{\"a\":{"), key: "a", expected: "a key", found: "the end at byte 6"),
        .init(
            "text after the header", safetensors("{}x"), key: "header", expected: "nothing after the closing '}'",
            found: "'x' at byte 2"),
        .init(
            "bytes that are no UTF-8", [8, 0, 0, 0, 0, 0, 0, 0] + [0x7B, 0x22, 0xFF, 0x22, 0x3A, 0x7B, 0x7D, 0x7D],
            key: "header", expected: "a string in UTF-8", found: "other bytes at byte 2"),
        .init(
            "a control character in a name", safetensors("{\"a\nb\":{}}"), key: "header",
            expected: "a string without control characters", found: "byte 0xa at byte 3"),
        .init(
            "a lone surrogate", safetensors(#"{"\ud83dx":{}}"#), key: "header",
            expected: "a pair of surrogate escapes", found: "a lone surrogate"),
        .init(
            "an unknown escape", safetensors(#"{"\x41":{}}"#), key: "header", expected: "an escaped character of JSON",
            found: "'x' at byte 3"),
        .init(
            "a key twice", pair(0..<1, 0..<1, second: "a", data: 1), key: "header", expected: "each key once",
            found: "'a' twice"),
        .init(
            "a field twice", safetensors(#"{"a":{"dtype":"U8","dtype":"F32","shape":[],"data_offsets":[0,1]}}"#, [0]),
            key: "a", expected: "each key once", found: "'dtype' twice"),
        .init(
            "deep nesting", safetensors("{\"a\":{\"b\":" + String(repeating: "[", count: 100_000) + "}}"), key: "a",
            expected: "nesting of at most 64 levels", found: "'['"),
        .init(
            "metadata that is no string", safetensors(#"{"__metadata__":{"step":3}}"#), key: "__metadata__",
            expected: "a string", found: "'3'"),
        .init("an entry that is a number", safetensors(#"{"a":3}"#), key: "a", expected: "an object", found: "'3'"),
        .init(
            "an entry without a shape", safetensors(#"{"a":{"dtype":"U8","data_offsets":[0,0]}}"#), key: "a",
            expected: "the fields shape", found: "none of them"),
        .init(
            "a name of several lines", safetensors(#"{"a\nb":3}"#), key: #"a\nb"#, expected: "an object",
            found: "'3'"),
    ]

    static let badNumbers: [MalformedSafetensors] = [
        .init(
            "a negative extent", shape: "[-1]", offsets: "[0,1]", data: 1, expected: "a whole number from 0",
            found: "-1"),
        .init(
            "a fractional extent", shape: "[1.0]", offsets: "[0,1]", data: 1, expected: "a whole number from 0",
            found: "1.0"),
        .init(
            "an extent beyond 64 bits", shape: "[99999999999999999999]", offsets: "[0,1]", data: 1,
            expected: "a whole number from 0", found: "99999999999999999999"),
        .init(
            "a leading zero", shape: "[01]", offsets: "[0,1]", data: 1, expected: "a whole number from 0",
            found: "a leading zero"),
        .init(
            "a product that overflows", dtype: "F32", shape: "[4294967296,4294967296]", offsets: "[0,1]", data: 1,
            expected: "a shape whose size fits into 63 bits", found: "[4294967296, 4294967296]"),
        .init(
            "an empty tensor whose strides overflow", shape: "[0,4611686018427387904,4]", offsets: "[0,0]", data: 0,
            expected: "a shape whose size fits into 63 bits", found: "[0, 4611686018427387904, 4]"),
        .init(
            "a gigabyte declared in one byte", dtype: "F32", shape: "[16384,16384]", offsets: "[0,1]", data: 1,
            expected: "1073741824 bytes for F32 [16384, 16384]", found: "1"),
        .init(
            "thirty-three axes", shape: "[" + String(repeating: "1,", count: 32) + "1]", offsets: "[0,1]", data: 1,
            expected: "at most 32 extents", found: "'1'"),
        .init(
            "a dtype misspelt", dtype: "BF-16", shape: "[1]", offsets: "[0,2]", data: 2,
            expected: "a dtype of safetensors", found: "'BF-16' (did you mean 'BF16'?)"),
        .init(
            "half a byte", dtype: "F4", shape: "[3]", offsets: "[0,1]", data: 1, expected: "12/8 bytes for F4 [3]",
            found: "1"),
    ]

    static let badOffsets: [MalformedSafetensors] = [
        .init("one offset", shape: "[1]", offsets: "[0]", data: 1, expected: "two data_offsets", found: "'}'"),
        .init("three offsets", shape: "[1]", offsets: "[0,1,2]", data: 2, expected: "two data_offsets", found: "'2'"),
        .init(
            "offsets exchanged", shape: "[1]", offsets: "[1,0]", data: 1,
            expected: "data_offsets in ascending order", found: "[1, 0]"),
        .init(
            "data beyond the file", shape: "[2]", offsets: "[0,2]", data: 1,
            expected: "data_offsets within the 1 bytes of data", found: "[0, 2]"),
        .init(
            "data far beyond the file", shape: "[2]", offsets: "[9223372036854775805,9223372036854775807]", data: 1,
            expected: "data_offsets within the 1 bytes of data", found: "[9223372036854775805, 9223372036854775807]"),
        .init(
            "more bytes than the shape", shape: "[1]", offsets: "[0,2]", data: 2, expected: "1 bytes for U8 [1]",
            found: "2"),
        .init(
            "a hole at the front", shape: "[1]", offsets: "[1,2]", data: 2, expected: "data from byte 0 on",
            found: "a hole"),
        .init(
            "a hole between", pair(0..<1, 2..<3, data: 3), key: "b", expected: "data from byte 1 on",
            found: "a hole, data from 2 on"),
        .init(
            "an overlap", pair(0..<2, 1..<3, data: 3), key: "b", expected: "data from byte 2 on",
            found: "an overlap, data from 1 on"),
        .init(
            "two tensors in one place", pair(0..<1, 0..<1, data: 1), key: "b", expected: "data from byte 1 on",
            found: "an overlap"),
        .init(
            "bytes after the last tensor", pair(0..<1, 1..<2, data: 3), key: "data",
            expected: "2 bytes, as the header lists", found: "3"),
    ]
}
