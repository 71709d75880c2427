import Foundation
import TensorCore
import TensorIO
import TestSupport
import Testing

@Suite struct ShardedSafetensorsTests {
    private func writeShards(in folder: String, index: String) throws {
        let first: [(name: String, tensor: Tensor)] = [
            ("a", Tensor([1] as [Float], [1])), ("unlisted", Tensor([0] as [Float], [1])),
        ]
        try SafetensorsFile.write(first, to: folder + "/model-00001-of-00002.safetensors")
        try SafetensorsFile.write(
            [("b", Tensor([2, 3] as [Int32], [2]))], to: folder + "/model-00002-of-00002.safetensors")
        try writeFile(index.utf8, to: folder + "/model.safetensors.index.json")
    }

    private func index(_ map: String) -> String { "{\"metadata\": {\"total_size\": 12}, \"weight_map\": \(map)}" }

    @Test func tensorsAreFoundInTheirShards() throws {
        try withScratchFolder { folder in
            let map = #"{"b": "model-00002-of-00002.safetensors", "a": "model-00001-of-00002.safetensors"}"#
            try writeShards(in: folder, index: index(map))
            let archive = try openTensorArchive(folder)
            #expect(archive.names == ["b", "a"])
            #expect(archive.info("b") == TensorInfo(dtype: .int32, shape: [2]))
            #expect(try archive.tensor("b").elements(as: Int32.self) == [2, 3])
            #expect(try archive.tensor("a").elements(as: Float.self) == [1])
            #expect(archive.info("unlisted") == nil)
            #expect(fileError { _ = try archive.tensor("unlisted") }?.key == "unlisted")
        }
    }

    @Test(arguments: [
        (#"{"weight_map": {"c": "model-00001-of-00002.safetensors"}}"#, "expected the tensor in model-00001-of-00002"),
        (#"{"weight_map": {"a": "../model.safetensors"}}"#, "expected a file beside the index"),
        (#"{"weight_map": {"a": "absent.safetensors"}}"#, "No such file or directory"),
        (#"{"weight_map": {"a": 3}}"#, "expected a string, found '3'"),
        (#"{"weight_map": {"a": "x", "a": "y"}}"#, "found 'a' twice"),
        (#"{"metadata": {}}"#, "weight_map: expected the map of tensors, found none"),
        (#"{"weight_map": {"#, "expected a key, found the end"),
        ("", "expected an object, found the end"),
    ])
    func badIndicesAreRefused(index: String, message: String) throws {
        try withScratchFolder { folder in
            try writeShards(in: folder, index: index)
            let error = fileError { _ = try openTensorArchive(folder + "/model.safetensors.index.json") }
            #expect(error?.description.contains(message) == true, "\(error?.description ?? "")")
        }
    }

    @Test func foldersAreOpenedWhenOneFileFits() throws {
        #expect(try openTensorArchive(Fixtures.path("tiny-random-fill/vae")).names.isEmpty == false)
        try withScratchFolder { folder in
            #expect(fileError { _ = try openTensorArchive(folder) }?.found == "none in this folder")
            #expect(fileError { _ = try openTensorArchive(folder + "/none") }?.found == "nothing there")
            for name in ["x", "y"] {
                try SafetensorsFile.write([(name, Tensor([1] as [Float], [1]))], to: folder + "/\(name).safetensors")
            }
            #expect(fileError { _ = try openTensorArchive(folder) }?.found == "x.safetensors, y.safetensors")
            try SafetensorsFile.write([("m", Tensor([1] as [Float], [1]))], to: folder + "/model.safetensors")
            #expect(try openTensorArchive(folder).names == ["m"])
        }
    }
}
