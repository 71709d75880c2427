import NeuralNet
import TensorCore
import TensorIO

/// Reads an adapter file in any format for the layers of one model.
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
    ) {
        self.archive = archive
        self.naming = naming
        self.layers = layers
        self.pooledWidth = pooledWidth
        self.routing = routing
        self.header = header
    }

    /// The keys of one place in the model.
    private struct Group {
        let place: AdapterPlace
        /// The layer's name in the file, without prefix.
        let name: String
        var keys: [AdapterRole: String] = [:]
    }

    /// All adapters of the file. Throws `FileError` at the first fault.
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
        let readers = groups.map { AdapterLayerReader(self, $0.name, $0.place, $0.keys) }
        for method in AdapterMethods.all { try method.check(header, layers: readers) }
        var weights: [String: AdaptedLayer] = [:]
        for reader in readers {
            if let notice = reader.notice { notices.append(notice) }
            for layer in try reader.layers() where weights.updateValue(layer, forKey: layer.name) != nil {
                throw FileError(
                    archive.path, key: reader.keys.values.sorted()[0], expected: "one adapter for each layer",
                    found: "two for '\(layer.name)'")
            }
        }
        return Contents(layers: layers.compactMap { weights[$0.name] }, notices: notices)
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
