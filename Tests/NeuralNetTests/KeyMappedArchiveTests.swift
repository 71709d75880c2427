import NeuralNet
import TensorCore
import TensorIO
import TestSupport
import Testing

/// Tensors that a file keeps under other names, fused, or with their halves exchanged.
@Suite struct KeyMappedArchiveTests {
    private let fused = Tensor.sample([6, 32], seed: 1)
    private let halves = Tensor.sample([4, 2], seed: 2)
    private let kernel = Tensor.sample([3, 2, 1, 1], seed: 3)

    private let keyMappings: [KeyMapping] = [
        KeyMapping("qkv", [("q", [2, 32]), ("k", [1, 32]), ("v", [3, 32])]),
        KeyMapping("mod", [("norm", [4, 2])], swapsHalves: true), KeyMapping("conv", "proj", [3, 2]),
    ]

    private func archive(
        _ more: [(name: String, tensor: Tensor)] = [], without name: String = "", ignoring: String = ""
    ) throws -> KeyMappedArchive {
        let tensors = [("qkv", fused), ("mod", halves), ("conv", kernel)].filter { $0.0 != name } + more
        return try KeyMappedArchive(MemoryArchive(path: "file", tensors), keyMappings) { $0 == ignoring }
    }

    @Test func namesAndShapesAreTheModels() throws {
        let archive = try archive()
        #expect(archive.path == "file" && archive.names == ["q", "k", "v", "norm", "proj"])
        #expect(archive.info("v") == TensorInfo(dtype: .float32, shape: [3, 32]))
        #expect(archive.info("proj")?.shape == [3, 2] && archive.info("qkv") == nil)
        #expect(keyMappings[0].sourceShape == [6, 32])
    }

    @Test func partsOfAFusedTensorAreViewsOfItsRows() throws {
        let archive = try archive()
        for (name, rows) in [("q", 0..<2), ("k", 2..<3), ("v", 3..<6)] {
            let part = try archive.tensor(name)
            #expect(part.isIdentical(to: fused.sliced(axis: 0, rows)) && part.storage === fused.storage, "\(name)")
        }
    }

    @Test func halvesAreExchangedAndTrailingOnesDropped() throws {
        let archive = try archive()
        let swapped = Tensor.concatenated([halves.sliced(axis: 0, 2..<4), halves.sliced(axis: 0, 0..<2)], axis: 0)
        #expect(try archive.tensor("norm").isIdentical(to: swapped))
        #expect(try archive.tensor("proj").isIdentical(to: kernel.reshaped(to: [3, 2])))
    }

    @Test func partsOfBlocksStayBlocks() throws {
        let blocks = QuantizedTensor(quantizing: fused, to: .q80)
        let archive = try KeyMappedArchive(
            StoredArchive([("qkv", .quantized(blocks))]), [keyMappings[0]])
        guard case .quantized(let part) = try archive.stored("v") else {
            Issue.record("the part was expanded")
            return
        }
        #expect(part.dequantized().isIdentical(to: blocks.dequantized().sliced(axis: 0, 3..<6)))
    }

    /// A vector in blocks is one row: its parts begin within a block.
    @Test func partsOfAVectorOfBlocksAreExpanded() throws {
        let blocks = QuantizedTensor(quantizing: Tensor.sample([64], seed: 4), to: .q80)
        let archive = try KeyMappedArchive(
            StoredArchive([("b", .quantized(blocks))]), [KeyMapping("b", [("x", [24]), ("y", [40])])])
        #expect(try archive.tensor("y").isIdentical(to: blocks.dequantized().sliced(axis: 0, 24..<64)))
    }

    @Test func oneErrorNamesEveryFaultInTheFilesNames() {
        let error = #expect(throws: WeightError.self) {
            try archive([("conv2", Tensor(1)), ("qkv", Tensor(zeros: [6, 31]))], without: "qkv")
        }
        #expect(error?.missing == [] && error?.unexpected == ["conv2"])
        #expect(error?.misshapen == [.init(key: "qkv", expected: [6, 32], found: [6, 31])])
        let missing = #expect(throws: WeightError.self) { try archive(without: "mod") }
        #expect(missing?.missing == ["mod"] && missing?.path == "file")
    }

    @Test func whatIsIgnoredMayBeThere() throws {
        #expect(try archive([("step", Tensor(1))], ignoring: "step").names.count == 5)
    }

    @Test func unknownNamesAreToldWithTheNearest() throws {
        let archive = try archive()
        let error = #expect(throws: FileError.self) { try archive.tensor("norn") }
        #expect(error?.key == "norn" && error?.nearest == "norm")
    }
}
