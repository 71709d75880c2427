import Foundation
import TensorCore
import TensorIO
import TestSupport
import Testing

/// GGUF files against those of the Python package `gguf` (`Tests/Reference/make_gguf_fixtures.py`).
@Suite struct GGUFTests {
    static let heldTypes = [
        "F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "IQ4_NL",
    ]

    static func fixture() throws -> (file: GGUFFile, values: SafetensorsFile) {
        (
            try GGUFFile(path: Fixtures.path("gguf/blocks.gguf")),
            try SafetensorsFile(path: Fixtures.path("gguf/blocks.safetensors"))
        )
    }

    @Test(arguments: heldTypes) func dequantisationEqualsUpstreamBitForBit(type: String) throws {
        let (file, values) = try Self.fixture()
        let info = try #require(file.info(type))
        #expect(info.shape == [4, 512] && info.typeName == (info.quantization?.rawValue ?? info.dtype.rawValue))
        let expected = try values.tensor("dequantized.\(type)")
        #expect(try file.tensor(type).converted(to: .float32).isIdentical(to: expected))
        guard case .quantized(let blocks) = try file.stored(type) else {
            #expect(GGUFTensorType(name: type)?.dtype == info.dtype)
            return
        }
        // A range of rows is a view; half precision is float32 rounded once.
        #expect(blocks.rows(1..<3).dequantized().isIdentical(to: expected.sliced(axis: 0, 1..<3).contiguous()))
        #expect(blocks.reshaped(to: [2, 1024]).dequantized().floats == expected.floats)
        let swapped = try file.stored(type).withHalvesSwapped().expanded(to: .float32)
        #expect(swapped.floats == Array(expected.floats[1024...] + expected.floats[..<1024]))
        for dtype in [DType.bfloat16, .float16] {
            #expect(blocks.dequantized(to: dtype).isIdentical(to: expected.converted(to: dtype)))
        }
        #expect(blocks.scaled(by: 2).dequantized().floats == expected.floats.map { 2 * $0 })
    }

    /// ComfyUI-GGUF writes tensors of more extents than it can as matrices, with their shape beside them.
    @Test func originalShapes() throws {
        let folder = try Fixtures.scratchFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = folder.appending(path: "file.gguf").path
        let matrix = Tensor.sample([6, 64], seed: 1)
        let blocks = QuantizedTensor(quantizing: matrix, to: .q80)
        func write(_ shapes: [(name: String, extents: [Int32])]) throws {
            try GGUFFile.write(
                metadata: shapes.map { ("comfy.gguf.orig_shape.\($0.name)", .array(GGUFArray($0.extents))) },
                tensors: [
                    GGUFPlan(name: "a", type: GGUFTensorType(.float32)!, shape: matrix.shape),
                    GGUFPlan(name: "b", type: GGUFTensorType(.q80)!, shape: matrix.shape),
                ], to: path
            ) { $0.name == "a" ? .plain(matrix) : .quantized(blocks) }
        }
        try write([("a", [4, 3, 2, 16]), ("b", [2, 3, 2, 32]), ("gone", [7])])
        var file = try GGUFFile(path: path)
        #expect(file.info("a")?.shape == [4, 3, 2, 16] && file.info("b")?.shape == [2, 3, 2, 32])
        #expect(file.info("b")?.quantization == .q80)
        #expect(try file.tensor("a").isIdentical(to: matrix.reshaped(to: [4, 3, 2, 16])))
        #expect(try file.tensor("b").floats == blocks.dequantized().floats)
        // Rows that are no whole blocks.
        try write([("b", [8, 3, 4, 4])])
        file = try GGUFFile(path: path)
        #expect(file.info("b") == TensorInfo(dtype: .float32, shape: [8, 3, 4, 4]))
        #expect(try file.stored("b").expanded(to: .float32).floats == blocks.dequantized().floats)
        for bad in [[5, 64], [-6, -64], [], [Int32.max, Int32.max, Int32.max, 4]] as [[Int32]] {
            try write([("a", bad)])
            let error = #expect(throws: FileError.self) { _ = try GGUFFile(path: path) }
            #expect(error?.key == "comfy.gguf.orig_shape.a" && error?.expected == "extents whose product is 384")
        }
    }

    @Test func everyInstructionSetGivesTheSameBits() async {
        await #expect(processExitsWith: .success) {
            let (file, values) = try GGUFTests.fixture()
            let numbers = try values.tensor("numbers")
            var packed: [QuantizationFormat: [UInt8]] = [:]
            for set in InstructionSet.available {
                InstructionSet.force(set)
                for type in GGUFTests.heldTypes {
                    let found = try file.tensor(type).converted(to: .float32)
                    #expect(found.isIdentical(to: try values.tensor("dequantized.\(type)")), "\(type) on \(set)")
                }
                for format in QuantizationFormat.allCases where format.isWritable {
                    let bytes = QuantizedTensor(quantizing: numbers, to: format).withBytes(Array.init)
                    #expect(packed[format, default: bytes] == bytes, "\(format) on \(set)")
                    packed[format] = bytes
                }
            }
        }
    }

    @Test(arguments: [QuantizationFormat.q80, .q40]) func quantisationEqualsUpstreamByteForByte(
        format: QuantizationFormat
    ) throws {
        let (_, values) = try Self.fixture()
        let packed = QuantizedTensor(quantizing: try values.tensor("numbers"), to: format)
        #expect(packed.withBytes(Array.init) == bytes(of: try values.tensor("quantized.\(format)")))
    }

    /// Of gaussian numbers; the plain grid over a block's range would have about 0.086 with four bits.
    @Test(
        arguments: [
            (.q80, 0.006), (.q6K, 0.019), (.q5K, 0.039), (.q4K, 0.076), (.q40, 0.092),
        ] as [(QuantizationFormat, Float)]) func quantisationLosesLittle(format: QuantizationFormat, bound: Float)
        throws
    {
        var random = Random(seed: 5)
        let numbers = random.randn([64, 1024])
        let packed = QuantizedTensor(quantizing: numbers, to: format)
        func norm(_ tensor: Tensor) -> Float { tensor.floats.reduce(0) { $0 + $1 * $1 }.squareRoot() }
        let error = norm(packed.dequantized() - numbers) / norm(numbers)
        print("\(format): relative error \(error)")
        #expect(error < bound && error > bound / 4, "\(format): \(error)")
        // What the format can hold comes back whole.
        let again = QuantizedTensor(quantizing: packed.dequantized(), to: format).dequantized()
        #expect(norm(again - packed.dequantized()) / norm(numbers) < bound / 2)
    }

    @Test(arguments: QuantizationFormat.allCases.filter(\.isWritable))
    func constantAndEmptyBlocksAreKept(format: QuantizationFormat) {
        for value in [0, 1.5, -2, 1e-3] as [Float] {
            let packed = QuantizedTensor(quantizing: Tensor(full: [2, 512], value), to: format)
            for number in packed.dequantized().floats {
                #expect(abs(number - value) <= 0.005 * abs(value), "\(format): \(number) for \(value)")
            }
        }
        #expect(QuantizedTensor(quantizing: Tensor(zeros: [0, 512]), to: format).dequantized().shape == [0, 512])
    }

    @Test(arguments: [QuantizationFormat.float8E4M3, .float8E5M2])
    func everyNumberOfEightBitsEqualsPyTorch(format: QuantizationFormat) throws {
        let (_, values) = try Self.fixture()
        let expected = try values.tensor("float8.\(format)").floats
        try withScratchFolder { folder in
            let path = folder + "/eight.safetensors"
            let header = "{\"x\":{\"dtype\":\"\(format)\",\"shape\":[16,16],\"data_offsets\":[0,256]}}"
            try writeFile(safetensors(header, Array(0...255)), to: path)
            let file = try SafetensorsFile(path: path)
            #expect(file.info("x") == TensorInfo(quantization: format, shape: [16, 16]))
            let found = try file.tensor("x").floats
            for (a, b) in zip(found, expected) {
                #expect(a.bitPattern == b.bitPattern || a.isNaN && b.isNaN, "\(a) for \(b)")
            }
        }
    }

    @Test func metadataOfEveryTypeIsRead() throws {
        let file = try Self.fixture().file
        #expect(file.version == 3)
        let expected: [String: GGUFValue] = [
            "general.architecture": .string("flux"), "test.uint8": .uint8(200), "test.int8": .int8(-100),
            "test.uint16": .uint16(60000), "test.int16": .int16(-30000), "test.uint32": .uint32(4_000_000_000),
            "test.int32": .int32(-2_000_000_000), "test.float32": .float32(0.1), "test.bool": .bool(true),
            "test.string": .string("Zürich\n"), "test.uint64": .uint64(.max), "test.int64": .int64(.min),
            "test.float64": .float64(0.1), "test.texts": .array(GGUFArray(["a", "", "ß"])),
            "test.numbers": .array(GGUFArray([1.5, -2] as [Float])),
            "test.integers": .array(GGUFArray([1, -2, 3] as [Int32])),
        ]
        for (key, value) in expected { #expect(file.metadata[key] == value, "\(key)") }
        #expect(file.metadata["test.texts"]?.array?.texts == ["a", "", "ß"])
        #expect(file.metadata["test.numbers"]?.array?.numbers == [1.5, -2])
        #expect(file.metadata["test.integers"]?.array?.numbers == [1, -2, 3])
        #expect(file.metadata["test.uint64"]?.integer == nil && file.metadata["test.uint16"]?.integer == 60000)
        #expect(file.metadata["test.string"]?.description == #"'Zürich\n'"#)
        #expect(file.metadataKeys.first == "general.architecture")
    }

    @Test func whatIsWrittenIsReadBack() throws {
        let (source, values) = try Self.fixture()
        try withScratchFolder { folder in
            let path = folder + "/copy.gguf"
            let metadata = source.metadataKeys.map { ($0, source.metadata[$0]!) }
            let odd = Tensor([1, 2, 3] as [Float], [3])  // twelve bytes: padding before the next
            var plans = [GGUFPlan(name: "odd", type: GGUFTensorType(.float32)!, shape: [3])]
            plans += source.entries.map { GGUFPlan(name: $0.name, type: $0.type, shape: $0.shape) }
            plans.append(GGUFPlan(name: "scalar", type: GGUFTensorType(.bfloat16)!, shape: []))
            try GGUFFile.write(metadata: metadata, tensors: plans, to: path) { plan in
                switch plan.name {
                case "odd": .plain(odd)
                case "scalar": .plain(Tensor(2).converted(to: .bfloat16))
                default: try source.stored(plan.name)
                }
            }
            let copy = try GGUFFile(path: path)
            #expect(copy.metadata == source.metadata && copy.metadataKeys == source.metadataKeys)
            #expect(copy.names == plans.map(\.name))
            #expect(try copy.tensor("odd").floats == [1, 2, 3] && copy.tensor("scalar").scalar == 2)
            for type in Self.heldTypes {
                let found = try copy.tensor(type).converted(to: .float32)
                #expect(found.isIdentical(to: try values.tensor("dequantized.\(type)")), "\(type)")
            }
        }
    }

    @Test func aFileWithoutTensorsOrMetadataIsWhole() throws {
        try withScratchFolder { folder in
            let path = folder + "/empty.gguf"
            try GGUFFile.write(metadata: [], tensors: [], to: path) { _ in .plain(Tensor(0)) }
            let file = try GGUFFile(path: path)
            #expect(file.names.isEmpty && file.metadata.isEmpty)
            #expect(fileError { _ = try file.tensor("x") }?.key == "x")
        }
    }

    @Test func writingRefusesWhatTheFormatCannotHold() throws {
        try withScratchFolder { folder in
            let path = folder + "/bad.gguf"
            let f32 = GGUFTensorType(.float32)!
            func refusal(_ plans: [GGUFPlan], _ metadata: [(String, GGUFValue)] = []) -> FileError? {
                fileError {
                    try GGUFFile.write(metadata: metadata, tensors: plans, to: path) { .plain(Tensor(zeros: $0.shape)) }
                }
            }
            let plan = GGUFPlan(name: "a", type: f32, shape: [2])
            #expect(refusal([plan, plan])?.found == "the name twice")
            #expect(refusal([], [("k", .uint8(1)), ("k", .uint8(2))])?.found == "it twice")
            #expect(refusal([GGUFPlan(name: "a", type: f32, shape: [1, 1, 1, 1, 1])])?.key == "a")
            let rows = refusal([GGUFPlan(name: "a", type: GGUFTensorType(.q80)!, shape: [2, 33])])
            #expect(rows?.expected == "rows of a multiple of 32 numbers for Q8_0")
            #expect(!FileManager.default.fileExists(atPath: path))
        }
    }
}
