import NeuralNet
import TensorCore
import TensorIO

/// Reads an adapter file in any layout for the layers of one model.
struct AdapterReader {
    let archive: any TensorArchive
    let naming: AdapterNaming
    /// The model's linear layers in its order.
    let layers: [LayerExtents]
    /// The width of the model's pooled text, if known.
    let pooledWidth: Int?
    /// What to run mixtures with instead of what the file says.
    let routing: RoutingOptions?
    let header: AdapterHeader
    let routings: [String: RoutingMetadata]

    /// What a file holds for a model.
    struct Contents {
        /// The adapters in the model's order.
        var layers: [AdaptedLayer]
        /// What of the file is not used, one sentence each.
        var notices: [String]
    }

    init(
        _ archive: any TensorArchive, header: AdapterHeader, layers: [LayerExtents], naming: AdapterNaming,
        pooledWidth: Int? = nil, routing: RoutingOptions? = nil
    ) throws {
        self.archive = archive
        self.naming = naming
        self.layers = layers
        self.pooledWidth = pooledWidth
        self.routing = routing
        self.header = header
        routings = try RoutingMetadata.read(header: header.metadata, path: archive.path)
    }

    /// The keys of one place in the model.
    private struct Group {
        let place: AdapterPlaces.Place
        /// The layer's name in the file, without prefix.
        let name: String
        var keys: [AdapterKey.Role: String] = [:]
    }

    /// All adapters of the file. Throws ``FileError`` at the first fault.
    func contents() throws -> Contents {
        var notices = header.notices
        let textual = archive.names.filter(AdapterKey.isOfTextEncoder)
        if !textual.isEmpty && textual.count < archive.names.count {
            notices.append(
                "\(archive.path): \(textual.count) tensors adapt a text encoder, which stays as it is: they are not used"
            )
        } else if let key = textual.first {
            throw FileError(
                archive.path, key: printable(key), expected: "an adapter of a transformer",
                found: "an adapter of a text encoder")
        }
        let groups = try grouped(archive.names.filter { !AdapterKey.isOfTextEncoder($0) })
        if groups.isEmpty { throw FileError(archive.path, expected: "the tensors of an adapter", found: "none") }
        if let stray = routings.keys.sorted().first(where: { layer in
            !groups.contains { $0.place.isPlain && $0.place.parts[0].name == layer && $0.keys[.route] != nil }
        }) {
            throw FileError(
                archive.path, key: RoutingMetadata.headerKey, expected: "layers with '\(AdapterKey.Role.route.ending)'",
                found: "'\(stray)'", nearest: nearestName(to: stray, among: groups.map(\.place.parts[0].name)))
        }
        var weights: [String: AdapterWeights] = [:]
        for group in groups {
            let reader = AdapterLayerReader(self, group.name, group.place, group.keys)
            if let notice = reader.notice { notices.append(notice) }
            for (name, part) in try reader.weights() where weights.updateValue(part, forKey: name) != nil {
                throw FileError(
                    archive.path, key: group.keys.values.sorted()[0], expected: "one adapter for each layer",
                    found: "two for '\(name)'")
            }
        }
        return Contents(
            layers: layers.compactMap { layer in
                weights[layer.name].map { AdaptedLayer(name: layer.name, weights: $0) }
            }, notices: notices)
    }

    /// The keys by the places that they name, in the order of the file.
    private func grouped(_ names: [String]) throws -> [Group] {
        let places = AdapterPlaces(layers, naming: naming)
        var groups: [Group] = []
        var indices: [String: Int] = [:]
        for key in names {
            let parsed = try AdapterKey(key, path: archive.path)
            guard let place = places.place(of: parsed.stem) else {
                throw places.fault(key, stem: parsed.stem, path: archive.path)
            }
            let index = indices[place.identity] ?? groups.count
            if index == groups.count {
                indices[place.identity] = index
                groups.append(Group(place: place, name: naming.stripped(parsed.stem)))
            }
            if let other = groups[index].keys.updateValue(key, forKey: parsed.role) {
                throw FileError(
                    archive.path, key: printable(key), expected: "each tensor once", found: "'\(other)' beside it")
            }
        }
        return groups
    }
}
