public import Adapters
import Foundation
public import Models
public import TensorIO

extension FluxConfiguration {
    /// The proportions of the transformer at `path`: a pipeline folder, a transformer's folder or a file in any layout.
    /// Throws ``FileError`` when there is none.
    public init(transformerAt path: String) throws {
        var place = path
        if FileManager.default.fileExists(atPath: path + "/model_index.json") {
            place = try PipelineFolder(path: path).folder(of: .transformer)
        }
        if FileManager.default.fileExists(atPath: place + "/config.json") {
            try self.init(path: place + "/config.json")
        } else {
            try self.init(ModelFile.open(place, .transformer).configuration())
        }
    }
}

extension AdapterNaming {
    /// The names and extents of the layers of the transformer at `base`, or without one what the adapter in `archive` tells of
    /// them. Throws ``FileError`` when neither does.
    public static func flux(base: String?, adaptedBy archive: any TensorArchive) throws -> AdapterNaming {
        try base.map { try .flux(FluxConfiguration(transformerAt: $0)) } ?? .flux(adaptedBy: archive)
    }
}
