import Autograd
import Foundation
import NeuralNet
import TensorCore
import TensorIO
import TestSupport
import Testing

/// What a loader hands out, and the one error that names every fault.
@Suite struct WeightLoaderTests {
    private func error(_ loader: WeightLoader) -> WeightError? {
        #expect(throws: WeightError.self) { try loader.finish() }
    }

    @Test func partsReadTheirOwnKeys() throws {
        let values = Tensor.sample([2, 3], seed: 1)
        let loader = loader([("a.2.weight", values), ("b", Tensor(1))])
        let part = loader.scoped("a", 2)
        #expect(part.prefix == "a.2." && part.contains("weight") && !part.contains("bias") && loader.contains("b"))
        #expect(part.parameter("weight", [2, 3]).value.isIdentical(to: values))
        #expect(part.parameter("weight", [2, 3]).isTrained == false)
        #expect(error(loader)?.unexpected == ["b"])
        loader.ignore("b")
        try loader.finish()
    }

    @Test func oneErrorNamesEveryFault() {
        let loader = loader([
            ("kept", Tensor(1)), ("bent", Tensor(zeros: [3])), ("left.wieght", Tensor(zeros: [2])),
            ("extra", Tensor(1)),
        ])
        _ = loader.parameter("kept", [])
        let substitute = loader.parameter("bent", [2, 2])
        #expect(substitute.shape == [2, 2] && substitute.value.floats == [0, 0, 0, 0])
        #expect(loader.scoped("left").parameter("weight", [2]).value.floats == [0, 0])
        let fault = error(loader)
        #expect(fault?.path == "weights" && fault?.missing == ["left.weight"])
        #expect(fault?.unexpected == ["left.wieght", "extra"])
        #expect(fault?.misshapen == [.init(key: "bent", expected: [2, 2], found: [3])])
        #expect(
            fault?.description
                == "weights: the tensors do not fit the model: 1 missing: left.weight (is it 'left.wieght'?); "
                + "2 unexpected: left.wieght, extra; 1 of the wrong shape: bent expected [2, 2], found [3]")
    }

    @Test func longListsAreCutAndControlCharactersEscaped() {
        let loader = loader((0..<11).map { ("\u{1B}[2J\($0)", Tensor(1)) })
        let line = error(loader)?.description ?? ""
        #expect(line.contains("11 unexpected") && line.hasSuffix("and 3 more"))
        #expect(!line.contains("\u{1B}"))
    }

    /// Keys outside the prefix belong to other models of the file.
    @Test func keysOutsideThePrefixAreNotExpected() throws {
        let archive = MemoryArchive(path: "weights", [("vae.a", Tensor(1)), ("other", Tensor(2))])
        let loader = WeightLoader(archive, prefix: "vae.")
        #expect(loader.parameter("a", []).value.floats == [1])
        try loader.finish()
    }

    @Test func blocksStayWhereTheyAreAskedForAndAreExpandedElsewhere() throws {
        let blocks = QuantizedTensor(quantizing: Tensor.sample([2, 32], seed: 1), to: .q80)
        let loader = WeightLoader(StoredArchive([("w", .quantized(blocks))]))
        guard case .quantized = loader.weight("w", [2, 32]).stored else {
            Issue.record("a matrix was expanded")
            return
        }
        let expanded = loader.parameter("w", [2, 32])
        #expect(expanded.value.isIdentical(to: blocks.dequantized(to: Parameter.expandedType)))
        try loader.finish()
    }

    /// A tensor of a type that no `Tensor` has is not missing: its file says what is wrong.
    @Test func typesThatCannotBeHeldAreTold() throws {
        let folder = try Fixtures.scratchFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = folder.appending(path: "c64.safetensors").path
        let header = #"{"a":{"dtype":"C64","shape":[1],"data_offsets":[0,8]}}  "#
        let bytes =
            withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian, Array.init) + header.utf8
            + [
                UInt8
            ](repeating: 0, count: 8)
        try Data(bytes).write(to: URL(filePath: path))
        let loader = WeightLoader(try SafetensorsFile(path: path))
        #expect(loader.parameter("a", [1]).value.floats == [0])
        let fault = #expect(throws: FileError.self) { try loader.finish() }
        #expect(fault?.path == path && fault?.key == "a" && fault?.found == "C64")
    }

    @Test func freshWeightsAreDrawnFromTheSeed() throws {
        func drawn(_ seed: UInt64) -> [Tensor] {
            let loader = WeightLoader(initializing: .bfloat16, seed: seed)
            return [("weight", [64, 48] as Shape), ("weight", [48]), ("bias", [48])].map {
                loader.parameter($0.0, $0.1).value
            }
        }
        let (first, again, other) = (drawn(7), drawn(7), drawn(8))
        for (a, b) in zip(first, again) { #expect(a.isIdentical(to: b) && a.dtype == .bfloat16) }
        #expect(!first[0].isIdentical(to: other[0]))
        #expect(first[1].floats == [Float](repeating: 1, count: 48))
        #expect(first[2].floats == [Float](repeating: 0, count: 48))
        // Gaussian of deviation 1 / sqrt(48): of 3072 numbers the mean square lies within 10 % of that.
        let square = first[0].floats.reduce(0) { $0 + $1 * $1 } / Float(first[0].count)
        #expect(abs(square * 48 - 1) < 0.1, "\(square * 48)")
    }
}
