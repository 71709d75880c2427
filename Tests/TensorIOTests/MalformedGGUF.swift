import Testing

/// The bytes of a GGUF header, written with every liberty.
struct GGUFBytes {
    var bytes: [UInt8] = Array("GGUF".utf8)

    /// Magic, version and counts.
    init(version: UInt32 = 3, tensors: UInt64, values: UInt64) {
        put(version)
        put(tensors)
        put(values)
    }

    mutating func put(_ value: some FixedWidthInteger) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    mutating func put(_ text: String, length: UInt64? = nil) {
        put(length ?? UInt64(text.utf8.count))
        bytes.append(contentsOf: text.utf8)
    }

    /// A metadata value of four bytes.
    mutating func value(_ key: String, _ value: UInt32 = 1, type: UInt32 = 4) {
        put(key)
        put(type)
        put(value)
    }

    /// An entry; `extents` innermost first, as in the file.
    mutating func tensor(_ name: String, _ extents: [UInt64], rank: UInt32? = nil, type: UInt32 = 0, offset: UInt64 = 0)
    {
        put(name)
        put(rank ?? UInt32(extents.count))
        for extent in extents { put(extent) }
        put(type)
        put(offset)
    }

    /// Zeros up to a multiple of 32, then `count` zeros of data.
    func with(data count: Int) -> [UInt8] {
        bytes + [UInt8](repeating: 0, count: (32 - bytes.count % 32) % 32 + count)
    }
}

/// A file that must be refused, and what the refusal must say.
struct MalformedGGUF: CustomTestStringConvertible, Sendable {
    let testDescription: String
    let bytes: [UInt8]
    let key: String
    let expected: String
    let found: String

    init(_ name: String, _ bytes: [UInt8], key: String = "header", expected: String, found: String) {
        testDescription = name
        self.bytes = bytes
        self.key = key
        self.expected = expected
        self.found = found
    }

    /// A file of one tensor `a`.
    init(
        tensor name: String, _ extents: [UInt64], rank: UInt32? = nil, type: UInt32 = 0, offset: UInt64 = 0,
        data: Int = 64,
        expected: String, found: String
    ) {
        var file = GGUFBytes(tensors: 1, values: 0)
        file.tensor("a", extents, rank: rank, type: type, offset: offset)
        self.init(name, file.with(data: data), key: "a", expected: expected, found: found)
    }

    /// A file of one metadata value `k`, written by `body` after the key.
    init(value name: String, expected: String, found: String, _ body: (inout GGUFBytes) -> Void) {
        var file = GGUFBytes(tensors: 0, values: 1)
        file.put("k")
        body(&file)
        self.init(name, file.bytes, key: "k", expected: expected, found: found)
    }

    static let all = badHeads + badValues + badTensors

    static let badHeads: [MalformedGGUF] = [
        .init("an empty file", [], expected: "'GGUF' as the first four bytes", found: "an empty file"),
        .init(
            "another magic", Array("GGML".utf8) + [3, 0, 0, 0], expected: "'GGUF' as the first four bytes",
            found: "bytes 47 47 4d 4c"),
        .init("three bytes", [0x47, 0x47, 0x55], expected: "'GGUF' as the first four bytes", found: "bytes 47 47 55"),
        .init(
            "no version", Array("GGUF".utf8), expected: "4 bytes for the version", found: "the file's end after 0"),
        .init(
            "version 1", GGUFBytes(version: 1, tensors: 0, values: 0).bytes, expected: "version 2 or 3", found: "1"),
        .init(
            "a version of the future", GGUFBytes(version: 4, tensors: 0, values: 0).bytes, expected: "version 2 or 3",
            found: "4"),
        .init(
            "a big-endian file", GGUFBytes(version: 0x0300_0000, tensors: 0, values: 0).bytes,
            expected: "version 2 or 3", found: "a big-endian file"),
        .init(
            "more tensors than bytes", GGUFBytes(tensors: 1 << 40, values: 0).with(data: 100),
            expected: "at most 4 tensors in the 116 bytes left", found: "1099511627776"),
        .init(
            "2^64 - 1 values", GGUFBytes(tensors: 0, values: .max).bytes, expected: "at most 0 metadata values",
            found: "18446744073709551615"),
    ]

    static let badValues: [MalformedGGUF] = [
        .init(value: "an unknown type of value", expected: "a value's type from 0 to 12", found: "13") {
            $0.put(UInt32(13))
            $0.put(UInt64(0))
        },
        .init(value: "a truth value of 2", expected: "0 or 1 for a truth value", found: "2") {
            $0.put(UInt32(7))
            $0.put(UInt8(2))
        },
        .init(
            value: "a text longer than the file", expected: "a text within the 3 bytes left", found: "a length of 4"
        ) {
            $0.put(UInt32(8))
            $0.put("abc", length: 4)
        },
        .init(
            value: "a text of 2^64 - 1 bytes", expected: "a text within the 3 bytes left",
            found: "a length of 18446744073709551615"
        ) {
            $0.put(UInt32(8))
            $0.put("abc", length: .max)
        },
        .init(value: "a text that is no UTF-8", expected: "a text in UTF-8", found: "other bytes") {
            $0.put(UInt32(8))
            $0.put(UInt64(2))
            $0.bytes += [0xC3, 0x28]
        },
        .init(
            value: "an array longer than the file", expected: "at most 0 elements in the 4 bytes left",
            found: "1000000000"
        ) {
            $0.put(UInt32(9))
            $0.put(UInt32(10))
            $0.put(UInt64(1_000_000_000))
            $0.put(UInt32(0))
        },
        .init(
            value: "a text in an array beyond the file", expected: "a text within the 1 bytes left",
            found: "a length of 9"
        ) {
            $0.put(UInt32(9))
            $0.put(UInt32(8))
            $0.put(UInt64(1))
            $0.put("x", length: 9)
        },
        .init(value: "arrays without end", expected: "at most 4 levels of arrays", found: "more") { file in
            file.put(UInt32(9))
            for _ in 0..<100 {
                file.put(UInt32(9))
                file.put(UInt64(1))
            }
        },
        {
            var file = GGUFBytes(tensors: 0, values: 2)
            file.value("k")
            file.value("k")
            return .init("a key twice", file.bytes, key: "k", expected: "each key once", found: "it twice")
        }(),
        {
            var file = GGUFBytes(tensors: 0, values: 1)
            file.value("general.alignment", 48)
            return .init(
                "an alignment that is no power of two", file.bytes, key: "general.alignment",
                expected: "a power of two of type uint32", found: "48")
        }(),
        {
            var file = GGUFBytes(tensors: 0, values: 1)
            file.value("general.alignment", 0)
            return .init(
                "an alignment of 0", file.bytes, key: "general.alignment", expected: "a power of two of type uint32",
                found: "0")
        }(),
    ]

    static let badTensors: [MalformedGGUF] = [
        .init(tensor: "an unknown type", [8], type: 99, expected: "a type of ggml", found: "number 99"),
        .init(tensor: "a type that was removed", [32], type: 4, expected: "a type of ggml", found: "number 4"),
        .init(tensor: "five axes", [1, 1, 1, 1, 1], expected: "at most 4 extents", found: "5"),
        .init(tensor: "a rank of 2^32 - 1", [1], rank: .max, expected: "at most 4 extents", found: "4294967295"),
        .init(tensor: "an extent of 2^64 - 1", [.max], expected: "extents below 2^63", found: "18446744073709551615"),
        .init(
            tensor: "a product that overflows", [1 << 32, 1 << 32], expected: "a shape whose size fits into 63 bits",
            found: "[4294967296, 4294967296]"),
        .init(
            tensor: "an empty tensor whose strides overflow", [1 << 62, 4, 0],
            expected: "a shape whose size fits into 63 bits",
            found: "[0, 4, 4611686018427387904]"),
        .init(
            tensor: "half a block", [48], type: 8, expected: "rows of a multiple of 32 numbers for Q8_0", found: "48"),
        .init(
            tensor: "rows of half a block", [128, 2], type: 12, expected: "rows of a multiple of 256 numbers for Q4_K",
            found: "128"),
        .init(
            tensor: "a terabyte in 64 bytes", [1 << 20, 1 << 18],
            expected: "1099511627776 bytes for F32 [262144, 1048576]",
            found: "offset 0"),
        .init(
            tensor: "data cut off", [32], data: 64, expected: "128 bytes for F32 [32] within the 64 bytes of data",
            found: "offset 0"),
        .init(
            tensor: "data outside the file", [8], offset: 64,
            expected: "32 bytes for F32 [8] within the 64 bytes of data",
            found: "offset 64"),
        .init(
            tensor: "data far outside the file", [8], offset: 0xFFFF_FFFF_FFFF_FFE0,
            expected: "32 bytes for F32 [8] within the 64 bytes of data", found: "offset 18446744073709551584"),
        .init(
            tensor: "an offset between the marks", [4], offset: 4, expected: "an offset that is a multiple of 32",
            found: "4"),
        .init(
            tensor: "no data at all", [4], data: 0, expected: "16 bytes for F32 [4] within the 0 bytes",
            found: "offset 0"),
        {
            var file = GGUFBytes(tensors: 2, values: 0)
            file.tensor("a", [4])
            file.tensor("a", [4], offset: 32)
            return .init(
                "a name twice", file.with(data: 64), key: "a", expected: "each tensor's name once", found: "it twice")
        }(),
        {
            var file = GGUFBytes(tensors: 2, values: 0)
            file.tensor("a", [16])
            file.tensor("b", [4], offset: 32)
            return .init(
                "an overlap", file.with(data: 64), key: "b", expected: "data of its own",
                found: "an overlap with another tensor")
        }(),
        {
            var file = GGUFBytes(tensors: 1, values: 0)
            file.put("a\nb", length: 1 << 50)
            return .init(
                "a name longer than the file", file.with(data: 0), key: "tensor 0", expected: "a name within",
                found: "a length of 1125899906842624")
        }(),
    ]
}
