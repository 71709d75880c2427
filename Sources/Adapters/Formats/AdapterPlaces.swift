import TensorIO

/// A place in a model that an adapter file names: one layer, or several that the file keeps as one.
public struct AdapterPlace: Sendable {
    /// The layers, one after the other along the outputs.
    public let parts: [LayerExtents]
    /// Whether the file has the two halves of the outputs in the other order.
    public let swapsHalves: Bool

    /// What tells places apart.
    var identity: String { parts.map(\.name).joined(separator: "+") + (swapsHalves ? " swapped" : "") }
    /// The extent of the input's last axis.
    public var inputs: Int { parts[0].inputs }
    /// The extent of the output's last axis.
    public var outputs: Int { parts.reduce(0) { $0 + $1.outputs } }
    /// Whether the file keeps the model's own layer as it is.
    public var isPlain: Bool { parts.count == 1 && !swapsHalves }
    /// Whether this is the entrance of the model.
    func isEntrance(_ entrance: AdapterNaming.Entrance?) -> Bool { parts[0].name == entrance?.layer }
}

/// The places in a model that the names in adapter files point to: its layers under their own names and under those of
/// the model's authors, with dots and with underscores for them.
struct AdapterPlaces {
    private let naming: AdapterNaming
    private var dotted: [String: AdapterPlace] = [:]
    private var flat: [String: AdapterPlace] = [:]
    /// The names in the order in which they were added, to look for a neighbour.
    private var names: [String] = []

    init(_ layers: [LayerExtents], naming: AdapterNaming) {
        self.naming = naming
        let known = Set(layers.map(\.name))
        for layer in layers { add(layer.name, AdapterPlace(parts: [layer], swapsHalves: false)) }
        for mapping in naming.keyMappings where mapping.parts.allSatisfy({ known.contains($0.name) }) {
            add(mapping.source, AdapterPlace(parts: mapping.parts, swapsHalves: mapping.swapsHalves))
            // OneTrainer's newer files number the parts of a fused layer.
            if mapping.parts.count > 1 {
                for (number, part) in mapping.parts.enumerated() {
                    add("\(mapping.source).\(number)", AdapterPlace(parts: [part], swapsHalves: false))
                }
            }
        }
    }

    private mutating func add(_ name: String, _ place: AdapterPlace) {
        if dotted[name] != nil { return }
        dotted[name] = place
        flat[name.replacing(".", with: "_")] = place
        names.append(name)
    }

    /// The place that a stem names; nil when there is none.
    func place(of stem: String) -> AdapterPlace? {
        let name = naming.stripped(stem)
        if let place = dotted[name] { return place }
        return Self.flatName(name).flatMap { flat[$0] }
    }

    /// The fault of a stem that names no place.
    func fault(_ key: String, stem: String, path: String) -> FileError {
        let name = naming.stripped(stem)
        let flatName = Self.flatName(name)
        let nearest =
            flatName.map { name in nearestName(to: name, among: flat.keys.sorted()) }
            ?? nearestName(to: name, among: names)
        return FileError(
            path, key: printable(key), expected: "the name of a linear layer of the model",
            found: "'\(flatName ?? name)'", nearest: nearest)
    }

    private static func flatName(_ name: String) -> String? {
        AdapterNaming.flatPrefixes.first(where: name.hasPrefix).map { String(name.dropFirst($0.count)) }
    }
}
