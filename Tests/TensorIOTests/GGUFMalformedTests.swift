import Foundation
import TensorCore
import TensorIO
import TestSupport
import Testing

@Suite struct GGUFMalformedTests {
    @Test(arguments: MalformedGGUF.all) func isRefused(_ file: MalformedGGUF) throws {
        try expectRefusal(
            file.bytes, named: "bad.gguf", key: file.key, expected: file.expected, found: file.found
        ) { _ = try GGUFFile(path: $0) }
    }

    @Test func whatIsNoFileIsRefused() throws {
        try withScratchFolder { folder in
            #expect(fileError { _ = try GGUFFile(path: folder + "/none") }?.found == "No such file or directory")
            #expect(fileError { _ = try GGUFFile(path: folder) }?.found == "a folder")
        }
    }

    @Test func typesThatAreNotHeldLeaveTheRestReadable() throws {
        try withScratchFolder { folder in
            var file = GGUFBytes(tensors: 3, values: 0)
            file.tensor("wide", [4], type: 28)
            file.tensor("a", [2, 4], type: 0, offset: 32)
            file.tensor("empty", [0], type: 0, offset: 64)
            let path = folder + "/types.gguf"
            try writeFile(file.with(data: 64), to: path)
            let archive = try GGUFFile(path: path)
            #expect(archive.names == ["wide", "a", "empty"])
            #expect(archive.info("wide") == nil && archive.entry("wide")?.type.name == "F64")
            #expect(archive.info("a") == TensorInfo(dtype: .float32, shape: [4, 2]))
            #expect(try archive.tensor("empty").shape == [0])
            let error = fileError { _ = try archive.tensor("wide") }
            #expect(error?.found == "F64" && error?.expected.contains("Q4_K") == true)
            #expect(fileError { _ = try archive.tensor("wid") }?.nearest == "wide")
        }
    }

    /// A small file with metadata of several types and tensors of four.
    private func sample(at path: String) throws -> [UInt8] {
        var plans: [GGUFPlan] = []
        for (name, type) in [("a", "F32"), ("b.weight", "Q8_0"), ("c", "Q4_K"), ("d", "BF16")] {
            plans.append(GGUFPlan(name: name, type: try #require(GGUFTensorType(name: type)), shape: [1, 256]))
        }
        let metadata: [(String, GGUFValue)] = [
            ("general.architecture", .string("flux")), ("n", .uint32(7)), ("t", .array(GGUFArray(["x", "yz"]))),
            ("general.alignment", .uint32(32)),
        ]
        try GGUFFile.write(metadata: metadata, tensors: plans, to: path) { plan in
            let numbers = Tensor.sample([1, 256], seed: 3)
            if let format = plan.type.quantization {
                return .quantized(QuantizedTensor(quantizing: numbers, to: format))
            }
            return .plain(numbers.converted(to: try #require(plan.type.dtype)))
        }
        return [UInt8](try Data(contentsOf: URL(filePath: path)))
    }

    /// Every cut of a valid file is refused, save for those into the padding at its end.
    @Test func everyTruncationIsRefused() throws {
        try withScratchFolder { folder in
            let path = folder + "/cut.gguf"
            let whole = try sample(at: path)
            let end = try GGUFFile(path: path).entries.map(\.byteRange.upperBound).max() ?? 0
            #expect(end > 0 && end <= whole.count)
            for length in 0..<end {
                try writeFile(whole.prefix(length), to: path)
                #expect(fileError { _ = try GGUFFile(path: path) } != nil, "\(length) bytes")
            }
        }
    }

    /// Mutated files are read whole or refused with a ``FileError``; nothing traps.
    @Test(arguments: [1, 2, 3] as [UInt64]) func mutationsAreReadOrRefused(seed: UInt64) throws {
        try withScratchFolder { folder in
            let path = folder + "/mutant.gguf"
            let whole = try sample(at: path)
            let headerLength = try #require(GGUFFile(path: path).entries.first).byteRange.lowerBound
            var random = SplitMix64(seed: seed)
            var (read, refused) = (0, 0)
            for _ in 0..<1500 {
                var mutant = whole
                for _ in 0..<Int.random(in: 1...3, using: &random) {
                    let place = Int.random(in: 0..<headerLength, using: &random)
                    switch Int.random(in: 0..<5, using: &random) {
                    case 0: mutant[place] = UInt8.random(in: 0...255, using: &random)
                    case 1: mutant[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
                    case 2: mutant.remove(at: place)
                    case 3: mutant.insert(UInt8.random(in: 0...255, using: &random), at: place)
                    default: mutant[place] = [0x00, 0x7F, 0x80, 0xFF].randomElement(using: &random) ?? 0
                    }
                }
                try writeFile(mutant, to: path)
                do {
                    let file = try GGUFFile(path: path)
                    for name in file.names where file.info(name) != nil { _ = try file.tensor(name).copied() }
                    for value in file.metadata.values { _ = (value.array?.texts, value.array?.numbers) }
                    read += 1
                } catch is FileError { refused += 1 }
            }
            #expect(read > 0 && refused > 500, "\(read) read, \(refused) refused")
        }
    }
}
