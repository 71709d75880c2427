public import TensorCore
public import TensorIO

/// An adapter file in any format, read without a model: what is converted, merged or inspected.
///
/// ```swift
/// let file = try AdapterFile(SafetensorsFile(path: "style.safetensors"), naming: .flux(configuration))
/// try file.exported(as: .kohya).tensors
/// ```
public struct AdapterFile {
    /// Where it lies.
    public let path: String
    /// What of the file is not used, one sentence each.
    public let notices: [String]
    /// The adapters.
    let layers: [AdaptedLayer]
    /// The same by the names of their layers.
    let byName: [String: AdapterWeights]
    private let naming: AdapterNaming

    /// Reads every adapter of `archive` for a model whose layers are those of `naming`; `metadata` is the file's header,
    /// taken from a `SafetensorsFile` by itself.
    ///
    /// Throws as ``AdapterSet/init(loading:metadata:into:naming:pooledWidth:routing:besideOthers:)`` does.
    public init(
        _ archive: any TensorArchive, metadata: [String: String]? = nil, naming: AdapterNaming, pooledWidth: Int? = nil
    ) throws {
        let contents = try AdapterReader(
            archive, header: try AdapterHeader(archive, metadata, naming: naming), layers: naming.layers,
            naming: naming,
            pooledWidth: pooledWidth
        ).contents()
        self.init(path: archive.path, layers: contents.layers, naming: naming, notices: contents.notices)
    }

    init(path: String, layers: [AdaptedLayer], naming: AdapterNaming, notices: [String] = []) {
        self.path = path
        self.layers = layers
        self.naming = naming
        self.notices = notices
        byName = Dictionary(layers.map { ($0.name, $0.weights) }, uniquingKeysWith: { first, _ in first })
    }

    /// The names of the adapted layers, in the order of the naming.
    public var layerNames: [String] { layers.map(\.name) }

    /// The layers that have a mixture of experts.
    public var mixtures: [String] { layers.filter { $0.weights.method is LoRAMoEMethod }.map(\.name) }

    /// The first layer whose adapter cannot be merged into a weight, with what it is and what merging expects; nil when all
    /// can.
    public var unmergeable: (layer: String, found: String, expected: String)? {
        for layer in layers {
            let method = type(of: layer.weights.method)
            if let expected = method.mergeRefusal { return (layer.name, method.title, expected) }
        }
        return nil
    }

    /// The file's contents in another format. Throws ``AdapterError/unwritable(format:reason:)`` when it cannot hold them, and
    /// `FileError` when a number is too large for `dtype`.
    public func exported(as format: AdapterFormat, dtype: DType = .float32) throws -> ExportedAdapters {
        var writer = AdapterWriter(path: path, format: format, naming: naming, dtype: dtype)
        for layer in layers { try writer.add(layer) }
        return try writer.finish()
    }
}

extension AdapterNaming {
    /// How many times wider than this naming's layers those of a block that `archive` adapts are; nil when it adapts none.
    ///
    /// For namings of a model of width 1: all extents of its blocks are multiples of the width. Throws `FileError` for
    /// keys of no format.
    public func width(of archive: any TensorArchive) throws -> Int? {
        let blocks = keyMappings.filter(\.isInBlock)
        let places = AdapterPlaces(
            blocks.flatMap(\.parts), naming: AdapterNaming(component: component, blocks: blocks))
        for (stem, keys) in try AdapterKey.byLayer(archive) {
            guard let place = places.place(of: stem), place.inputs > 0 else { continue }
            let shapes = archive.shapes(keys)
            guard let inputs = AdapterMethods.claiming(keys.keys).inputs(shapes), inputs % place.inputs == 0 else {
                continue
            }
            let width = inputs / place.inputs
            guard 1...Self.widest ~= width else {
                throw FileError(
                    archive.path, key: keys.values.sorted()[0],
                    expected: "inputs of a model at most \(Self.widest) wide", found: "\(inputs)")
            }
            return width
        }
        return nil
    }

    /// How many inputs the adapter in `archive` takes at the ``entrance``; nil when it adapts it not at all.
    ///
    /// Throws `FileError` for keys of no format.
    public func entranceInputs(of archive: any TensorArchive) throws -> Int? {
        guard let entrance else { return nil }
        let places = AdapterPlaces(layers, naming: self)
        for (stem, keys) in try AdapterKey.byLayer(archive) {
            guard places.place(of: stem)?.isEntrance(entrance) == true,
                let inputs = AdapterMethods.claiming(keys.keys).inputs(archive.shapes(keys))
            else { continue }
            guard inputs <= Self.widest else {
                throw FileError(
                    archive.path, key: keys.values.sorted()[0], expected: "at most \(Self.widest) inputs",
                    found: "\(inputs)")
            }
            return inputs
        }
        return nil
    }

    /// The width of the widest model whose layers are believed.
    private static let widest = 1 << 20

    private init(component: String, blocks: [LayerMapping]) {
        self.component = component
        keyMappings = blocks
        entrance = nil
    }
}
