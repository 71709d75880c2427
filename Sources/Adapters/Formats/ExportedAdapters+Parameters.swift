public import TensorCore
public import TensorIO

extension ExportedAdapters {
    /// Turns trained parameters, named as ``AdapterSet/parameters`` names them, into a file's contents without a model:
    /// what a checkpoint holds is enough.
    ///
    /// Throws `FileError` when a layer's parameters are not complete, do not fit the configuration or are too large for
    /// `dtype`, and ``AdapterError/unwritable(format:reason:)`` when the format cannot hold the adapters.
    public init(
        parameters archive: any TensorArchive, configuration: AdapterConfiguration, format: AdapterFormat,
        naming: AdapterNaming = AdapterNaming(), dtype: DType = .float32
    ) throws {
        var writer = AdapterWriter(path: archive.path, format: format, naming: naming, dtype: dtype)
        for layer in try AdaptedLayer.all(in: archive, configuration) { try writer.add(layer) }
        self = try writer.finish()
    }
}

extension AdaptedLayer {
    /// All layers among trained parameters, in their order. Throws `FileError` when a layer's parameters are not complete
    /// or do not fit the configuration.
    static func all(in archive: any TensorArchive, _ configuration: AdapterConfiguration) throws -> [AdaptedLayer] {
        var names: [String] = []
        var seen = Set<String>()
        for key in archive.names {
            let layer = try AdapterKey(key, path: archive.path).stem
            if seen.insert(layer).inserted { names.append(layer) }
        }
        if names.isEmpty { throw FileError(archive.path, expected: "the parameters of an adapter", found: "none") }
        return try names.map { name in
            guard let method = configuration.method(of: name) else {
                throw FileError(
                    archive.path, key: printable(name), expected: "a layer that the configuration's targets match",
                    found: "one that none matches")
            }
            return AdaptedLayer(name: name, weights: try method.restored(name, from: archive))
        }
    }
}
