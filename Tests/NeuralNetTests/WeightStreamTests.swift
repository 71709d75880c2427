import Autograd
import Foundation
import NeuralNet
import TensorCore
import TensorIO
import TestSupport
import Testing

/// Weights of a mapped file that are read ahead and given back. What is in memory, the system tells: `/proc/self/smaps`.
@Suite struct WeightStreamTests {
    /// One megabyte each: far more than the pages that a fault brings along.
    private static let side = 512
    private static let size = 4 * side * side

    /// Three linear layers in one mapped file.
    private static func layers(in folder: URL) throws -> (path: String, layers: [Linear]) {
        let path = folder.appending(path: "weights.safetensors").path
        try SafetensorsFile.write(
            (0..<3).map { ("\($0).weight", Tensor(full: [side, side], Float($0 + 1))) }, to: path)
        let loader = WeightLoader(try SafetensorsFile(path: path))
        return (path, (0..<3).map { Linear(loader.scoped("\($0)"), side, side, hasBias: false) })
    }

    /// The bytes of a mapped file that are in this process's memory.
    private static func residentByteCount(of path: String) throws -> Int {
        var total = 0
        var isInside = false
        let bytes = try readWholeFile("/proc/self/smaps", expected: "the process's mappings")
        for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") {
            let words = line.split(separator: " ", omittingEmptySubsequences: true)
            if words[0].contains("-"), !words[0].hasSuffix(":") { isInside = line.hasSuffix(path) }
            if isInside, words[0] == "Rss:" { total += (Int(words[1]) ?? 0) << 10 }
        }
        return total
    }

    /// Reads every number of a layer's weight.
    private static func touch(_ layer: Linear) -> Float { layer.weight.value.floats.reduce(0, +) }

    @Test func sizesAreThoseOfTheMappedPages() throws {
        let folder = try Fixtures.scratchFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let (_, layers) = try Self.layers(in: folder)
        let stream = WeightStream(layers)
        // The header moves the weights by less than a page: each has one more at its end.
        let page = sysconf(Int32(_SC_PAGESIZE))
        #expect(stream.byteCount >= 3 * Self.size && stream.byteCount <= 3 * (Self.size + page))
        #expect(stream.windowByteCount >= 2 * Self.size && stream.windowByteCount <= 2 * (Self.size + page))
        #expect(WeightStream(layers[..<1].map { $0 }).windowByteCount < 2 * Self.size)
        let owned = Linear(WeightLoader(initializing: .float32, seed: 1), 8, 8)
        #expect(WeightStream([owned]).byteCount == 0 && WeightStream([]).windowByteCount == 0)
    }

    @Test func nothingIsGivenBackWhereMemoryIsNotShort() async {
        await #expect(processExitsWith: .success) {
            let folder = try Fixtures.scratchFolder()
            defer { try? FileManager.default.removeItem(at: folder) }
            let (path, layers) = try Self.layers(in: folder)
            let stream = WeightStream(layers)
            for (index, layer) in layers.enumerated() {
                stream.enter(index)
                precondition(Self.touch(layer) == Float((index + 1) * Self.side * Self.side))
            }
            stream.leave()
            let resident = try Self.residentByteCount(of: path)
            precondition(resident >= 3 * Self.size, "\(resident) bytes in memory")
        }
    }

    // In a process of its own: whether memory is short is one switch for the whole process.
    @Test func whatIsBehindIsGivenBackForwardsAndBackwards() async {
        await #expect(processExitsWith: .success) {
            let folder = try Fixtures.scratchFolder()
            defer { try? FileManager.default.removeItem(at: folder) }
            let (path, layers) = try Self.layers(in: folder)
            let stream = WeightStream(layers)
            MemoryAccount.releasesWeights = true
            // Forwards, then backwards as a checkpointed model goes: never more than the layer in use and its neighbours.
            for index in [0, 1, 2, 2, 1, 0] {
                stream.enter(index)
                precondition(Self.touch(layers[index]) == Float((index + 1) * Self.side * Self.side))
                let resident = try Self.residentByteCount(of: path)
                precondition(resident >= Self.size, "layer \(index): \(resident) bytes in memory")
                precondition(resident < 3 * Self.size, "layer \(index): \(resident) bytes in memory")
            }
            stream.leave()
            let resident = try Self.residentByteCount(of: path)
            // The header's page and the pages around it stay.
            precondition(resident < Self.size / 2, "\(resident) bytes stay")
            // What was given back is read again.
            precondition(Self.touch(layers[2]) == Float(3 * Self.side * Self.side))
        }
    }
}
