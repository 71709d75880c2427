import Foundation
import TensorCore
import TensorIO
import TestSupport
import Testing

@Suite struct SafetensorsMalformedTests {
    @Test(arguments: MalformedSafetensors.all)
    func isRefused(_ file: MalformedSafetensors) throws {
        try expectRefusal(
            file.bytes, named: "bad.safetensors", key: file.key, expected: file.expected, found: file.found
        ) { _ = try SafetensorsFile(path: $0) }
    }

    @Test func whatIsNoFileIsRefused() throws {
        try withScratchFolder { folder in
            #expect(fileError { _ = try SafetensorsFile(path: folder + "/none") }?.found == "No such file or directory")
            #expect(fileError { _ = try SafetensorsFile(path: folder) }?.found == "a folder")
        }
    }

    @Test func booleansAreZeroOrOne() throws {
        try withScratchFolder { folder in
            let path = folder + "/bool.safetensors"
            let header = #"{"a":{"dtype":"BOOL","shape":[3],"data_offsets":[0,3]}}"#
            try writeFile(safetensors(header, [1, 0, 2]), to: path)
            let file = try SafetensorsFile(path: path)
            let error = fileError { _ = try file.tensor("a") }
            #expect(error?.expected == "bytes 0 or 1 for BOOL")
            #expect(error?.found == "2")
        }
    }

    /// Every cut of a valid file but the whole is refused.
    @Test func everyTruncationIsRefused() throws {
        try withScratchFolder { folder in
            let path = folder + "/cut.safetensors"
            try SafetensorsFile.write(tensorsOfEveryType(), metadata: ["format": "pt"], to: path)
            let whole = try Data(contentsOf: URL(filePath: path))
            for length in 0..<whole.count {
                try writeFile(whole.prefix(length), to: path)
                #expect(fileError { _ = try SafetensorsFile(path: path) } != nil, "\(length) bytes")
            }
        }
    }

    /// Mutated files are read whole or refused with a ``FileError``; nothing traps.
    @Test(arguments: [1, 2, 3] as [UInt64])
    func mutationsAreReadOrRefused(seed: UInt64) throws {
        try withScratchFolder { folder in
            let path = folder + "/mutant.safetensors"
            try SafetensorsFile.write(tensorsOfEveryType(), metadata: ["format": "pt"], to: path)
            let whole = [UInt8](try Data(contentsOf: URL(filePath: path)))
            let headerLength = Int(whole[0]) + Int(whole[1]) << 8
            var random = SplitMix64(seed: seed)
            var (read, refused) = (0, 0)
            for _ in 0..<1500 {
                let mutant = Self.mutated(whole, headerLength: headerLength, &random)
                try writeFile(mutant, to: path)
                do {
                    let file = try SafetensorsFile(path: path)
                    for name in file.names where file.info(name) != nil {
                        _ = try TensorIOTests.bytes(of: file.tensor(name))
                    }
                    read += 1
                } catch is FileError { refused += 1 }
            }
            #expect(read > 0 && refused > 500, "\(read) read, \(refused) refused")
        }
    }

    private static func mutated(
        _ whole: [UInt8], headerLength: Int, _ random: inout some RandomNumberGenerator
    ) -> [UInt8] {
        let tokens = [
            "{", "}", "[", "]", ",", ":", "\"", "\\", "\\u", "-", "0", "9999999999999999999", "null", "e", ".", "F64",
        ]
        var bytes = whole
        for _ in 0..<Int.random(in: 1...3, using: &random) {
            let place = Int.random(in: 0..<8 + headerLength, using: &random)
            switch Int.random(in: 0..<6, using: &random) {
            case 0: bytes[place] = UInt8.random(in: 0...255, using: &random)
            case 1: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            case 2: bytes.remove(at: place)
            case 3:
                let token = tokens[Int.random(in: 0..<tokens.count, using: &random)]
                bytes.insert(contentsOf: Array(token.utf8), at: place)
            case 4: bytes[place] = UInt8.random(in: 0x30...0x39, using: &random)
            default: bytes.removeLast(Int.random(in: 0..<16, using: &random))
            }
        }
        // Three in four get a header length that fits again, so that the text is reached.
        if Int.random(in: 0..<4, using: &random) > 0 {
            let length = UInt64(headerLength + bytes.count - whole.count)
            bytes.replaceSubrange(0..<8, with: safetensors("", declaredLength: length))
        }
        return bytes
    }
}
