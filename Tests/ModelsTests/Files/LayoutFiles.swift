import Autograd
import Foundation
import Models
import NeuralNet
import TensorCore
import TensorIO
import TestSupport
import Testing

/// The models of the fixtures written out in other layouts.
enum LayoutFiles {
    static let transformerFolder = Fixtures.path("tiny-random-fill/transformer")

    /// Runs `body` with the path of a fresh folder, which is removed afterwards.
    static func inScratchFolder<Result>(_ body: (String) throws -> Result) throws -> Result {
        let folder = try Fixtures.scratchFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        return try body(folder.path)
    }

    static func configuration(_ folder: String) throws -> String {
        try String(contentsOfFile: folder + "/config.json", encoding: .utf8)
    }

    /// The tensors of an archive with diffusers' names, fused and renamed as the keyMappings say.
    static func arranged(
        _ archive: any TensorArchive, _ keyMappings: [KeyMapping], prefix: String = ""
    ) throws -> [(name: String, tensor: Tensor)] {
        try keyMappings.map { mapping in
            let parts = try mapping.parts.map { try archive.tensor($0.name) }
            var joined = Tensor.concatenated(parts, axis: 0)
            if mapping.swapsHalves {
                joined = StoredTensor.plain(joined).withHalvesSwapped().expanded(to: joined.dtype)
            }
            return (prefix + mapping.source, joined)
        }
    }

    /// The tiny transformer as one file of Black Forest Labs' names.
    static func writeBlackForest(
        to path: String, dtype: DType = .bfloat16, prefix: String = "",
        changing: (inout [(name: String, tensor: Tensor)]) -> Void = { _ in }
    ) throws {
        let configuration = try FluxConfiguration(path: transformerFolder + "/config.json")
        var tensors = try arranged(
            openTensorArchive(transformerFolder), configuration.blackForestKeyMappings, prefix: prefix
        ).map { (name: $0.name, tensor: $0.tensor.converted(to: dtype)) }
        changing(&tensors)
        let metadata = prefix.isEmpty ? [ModelFile.configurationKey: try self.configuration(transformerFolder)] : [:]
        try SafetensorsFile.write(tensors, metadata: metadata, to: path)
    }

    /// The tiny transformer's output on the fixture's input.
    static func output(_ model: FluxTransformer) throws -> Tensor {
        let input = try FluxReference.fill().input(guidance: 30)
        return withoutGradients { model(input).value }
    }
}
