public import TensorCore
public import TensorIO

extension ExportedAdapters {
    /// Turns trained parameters, named as ``AdapterSet/parameters`` names them, into a file's contents without a model:
    /// what a checkpoint holds is enough.
    ///
    /// Throws ``FileError`` when a layer's parameters are not complete, do not fit the configuration or are too large for
    /// `dtype`, and ``AdapterError/unwritable(format:reason:)`` when the layout cannot hold the adapters.
    public init(
        parameters archive: any TensorArchive, configuration: AdapterConfiguration, format: AdapterFormat,
        naming: AdapterNaming = AdapterNaming(), dtype: DType = .float32
    ) throws {
        var writer = AdapterWriter(path: archive.path, format: format, naming: naming, dtype: dtype)
        for layer in try AdaptedLayer.all(in: archive, configuration) { try writer.add(layer.name, layer.weights) }
        self = try writer.finish()
    }
}

extension AdaptedLayer {
    /// All layers among trained parameters, in their order. Throws ``FileError`` when a layer's parameters are not complete
    /// or do not fit the configuration.
    static func all(in archive: any TensorArchive, _ configuration: AdapterConfiguration) throws -> [AdaptedLayer] {
        var names: [String] = []
        var seen = Set<String>()
        for name in archive.names where seen.insert(name.adapterLayer).inserted { names.append(name.adapterLayer) }
        if names.isEmpty { throw FileError(archive.path, expected: "the parameters of an adapter", found: "none") }
        return try names.map { AdaptedLayer(name: $0, weights: try AdapterWeights($0, in: archive, configuration)) }
    }
}

extension AdapterWeights {
    /// The weights of one layer among trained parameters.
    fileprivate init(_ layer: String, in archive: any TensorArchive, _ configuration: AdapterConfiguration) throws {
        let (keyA, keyB, keyRoute) = ("\(layer).lora_A.weight", "\(layer).lora_B.weight", "\(layer).lora_route.weight")
        let (a, b) = (try archive.tensor(keyA), try archive.tensor(keyB))
        guard a.rank == 2, b.rank == 2, a.shape[0] == b.shape[1] else {
            throw FileError(
                archive.path, key: keyB, expected: "[out, rank] for \(keyA) \(a.shape)", found: "\(b.shape)")
        }
        guard archive.info(keyRoute) != nil else {
            guard a.shape[0] == configuration.loraRank else {
                throw FileError(
                    archive.path, key: keyA, expected: "rank \(configuration.loraRank)", found: "\(a.shape[0])")
            }
            self = .lora(a: a, b: b, alpha: configuration.loraAlpha)
            return
        }
        let route = try archive.tensor(keyRoute)
        let rows = configuration.experts * configuration.moeRank
        guard a.shape[0] == rows, route.shape == [configuration.experts, a.shape[1]] else {
            throw FileError(
                archive.path, key: keyRoute,
                expected: "\(configuration.experts) experts of rank \(configuration.moeRank)",
                found: "a router \(route.shape) beside \(a.shape)")
        }
        let keyPooled = "\(layer).lora_route_pooled.weight"
        self = .mixture(
            a: a, b: b, route: route, pooledRoute: archive.info(keyPooled) == nil ? nil : try archive.tensor(keyPooled),
            alpha: configuration.moeAlpha, options: configuration.routing)
    }
}

extension String {
    /// The layer's part of a parameter's name.
    fileprivate var adapterLayer: String { firstRange(of: ".lora_").map { String(self[..<$0.lowerBound]) } ?? self }
}
