import Adapters
import Foundation
import InContextEdit
import Models
import TensorIO

/// What adapter files need to know of a base: the names and extents of its layers.
enum TransformerProportions {
    /// The proportions of the transformer at `path`: a pipeline folder, a transformer's folder or a file in any layout.
    static func configuration(_ path: String) throws -> FluxConfiguration {
        var place = path
        if FileManager.default.fileExists(atPath: path + "/model_index.json") {
            place = try PipelineFolder(path: path).folder(of: .transformer)
        }
        if FileManager.default.fileExists(atPath: place + "/config.json") {
            return try FluxConfiguration(path: place + "/config.json")
        }
        return try FluxConfiguration(ModelFile.open(place, .transformer).configuration())
    }

    /// The naming of the layers of `base`, or without one what the adapter in `archive` tells of them.
    static func naming(base: String?, adaptedBy archive: any TensorArchive) throws -> AdapterNaming {
        try base.map { try .flux(configuration($0)) } ?? .flux(adaptedBy: archive)
    }
}
