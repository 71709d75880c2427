import Foundation
import TensorCore
import TensorIO
import TestSupport
import Testing

/// Files that are written piece by piece.
@Suite struct SafetensorsStreamTests {
    @Test func piecesGiveTheSameBytes() throws {
        let folder = try Fixtures.scratchFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let tensors: [(name: String, tensor: Tensor)] = [
            ("b", Tensor.sample([5, 3], seed: 1)), ("a", Tensor.sample([4, 2, 2], seed: 2).converted(to: .bfloat16)),
            ("scalar", Tensor(3)), ("empty", Tensor(zeros: [0, 7])),
            ("c", Tensor.sample([6, 5], seed: 3).transposed()),
        ]
        let (whole, streamed) = (folder.appending(path: "whole.st"), folder.appending(path: "streamed.st"))
        try SafetensorsFile.write(tensors, metadata: ["k": "v"], to: whole.path)
        let named = Dictionary(uniqueKeysWithValues: tensors.map { ($0.name, $0.tensor) })
        var order: [String] = []
        try SafetensorsFile.write(
            plans: tensors.map { SafetensorsPlan(name: $0.name, type: $0.tensor.dtype, shape: $0.tensor.shape) },
            metadata: ["k": "v"], to: streamed.path
        ) { plan, write in
            order.append(plan.name)
            let tensor = named[plan.name]!
            if tensor.rank == 0 { return try write(tensor) }
            for row in 0..<tensor.shape[0] { try write(tensor.sliced(axis: 0, row..<row + 1)) }
        }
        #expect(order == ["b", "c", "empty", "scalar", "a"])
        #expect(try Data(contentsOf: streamed) == Data(contentsOf: whole))
    }

    @Test func aFaultOnTheWayLeavesNothing() throws {
        let folder = try Fixtures.scratchFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = folder.appending(path: "file.st").path
        let plan = SafetensorsPlan(name: "a", type: .float32, shape: [2])
        #expect(throws: FileError.self) {
            try SafetensorsFile.write(plans: [plan], to: path) { _, _ in
                throw FileError("source", expected: "numbers", found: "none")
            }
        }
        #expect(throws: FileError.self) { try SafetensorsFile.write(plans: [plan, plan], to: path) { _, _ in } }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
    }
}
