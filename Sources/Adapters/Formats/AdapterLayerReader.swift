public import TensorCore
import TensorIO

/// Reads what an adapter file has for one place in the model: what a method's ``AdapterMethod/read(_:)`` works with.
public struct AdapterLayerReader {
    private let file: AdapterReader
    /// The layer's name in the file.
    public let layer: String
    /// The layer, or the layers that the file keeps as one.
    public let place: AdapterPlace
    /// The file's keys by what their tensors are.
    public let keys: [AdapterRole: String]

    init(
        _ file: AdapterReader, _ layer: String, _ place: AdapterPlace, _ keys: [AdapterRole: String]
    ) {
        self.file = file
        self.layer = layer
        self.place = place
        self.keys = keys
    }

    /// Where the file lies.
    public var path: String { file.archive.path }
    /// What the file says of itself besides its tensors.
    public var header: AdapterHeader { file.header }
    /// The width of the model's pooled text, if known.
    public var pooledWidth: Int? { file.pooledWidth }
    /// What to run mixtures with instead of what the file says.
    public var routing: RoutingOptions? { file.routing }

    /// The weights of each of the model's layers. Throws `FileError`.
    func layers() throws -> [AdaptedLayer] {
        let method = AdapterMethods.claiming(keys.keys, peftFlags: header.peftFlags)
        let known = Set(method.tensorNames.map(\.name) + [AdapterRole.alpha.name])
        if let stray = keys.filter({ !known.contains($0.key.name) }).map(\.value).sorted().first {
            throw FileError(
                path, key: printable(stray), expected: "the tensors of one method, \(method.title), for a layer",
                found: "one of another beside them")
        }
        let weights = try method.read(self)
        if place.isPlain { return [AdaptedLayer(name: place.parts[0].name, weights: weights)] }
        return try method.split(weights, at: place, reader: self)
    }

    /// The alpha of an update of that rank: beside the weights, in PEFT's configuration, or the rank. Throws `FileError`.
    public func alpha(rank: Int) throws -> Float {
        guard let key = keys[AdapterRole.alpha] else { return file.header.peft.alpha(layer: layer, rank: rank) }
        return try file.archive.adapterAlpha(key)
    }

    /// A matrix that takes the layer's inputs; see ``AdapterNaming/Entrance`` for one that takes fewer of them. Throws
    /// `FileError`.
    public func incoming(_ role: AdapterRole, rows: Int?) throws -> Tensor {
        guard let entrance = file.naming.entrance, place.isEntrance(entrance), let key = keys[role],
            let found = file.archive.info(key)?.shape, found.rank >= 2, found[1] != place.inputs
        else { return try matrix(role, rows: rows, columns: place.inputs) }
        if found[1] == entrance.shared, entrance.shared < place.inputs {
            return try matrix(role, rows: rows, columns: found[1]).padded(
                low: [0, 0], high: [0, place.inputs - found[1]])
        }
        let owner = entrance.owners[found[1]].map { ", an adapter of \($0)" } ?? ""
        let own = entrance.owners[place.inputs].map { " of \($0)" } ?? ""
        throw FileError(
            path, key: printable(key), expected: "the \(place.inputs) inputs\(own)", found: "\(found[1])\(owner)")
    }

    /// What was done to place an adapter of a relative's entrance, in a sentence; nil where nothing was.
    var notice: String? {
        guard let entrance = file.naming.entrance, place.isEntrance(entrance), entrance.shared < place.inputs,
            case let method = AdapterMethods.claiming(keys.keys, peftFlags: header.peftFlags),
            method.inputs(file.archive.shapes(keys)) == entrance.shared
        else { return nil }
        let owner = entrance.owners[entrance.shared].map { ", as in \($0)" } ?? ""
        return "\(path): '\(layer)' has \(entrance.shared) inputs\(owner): they are placed on the first of the model's "
            + "\(place.inputs), which are the latents"
    }

    /// A matrix in `float32`; nil leaves the number of rows to the file, at least one. Extents of 1 may follow, as kohya
    /// writes layers that are kept as 1 x 1 convolutions. Throws `FileError`.
    public func matrix(_ role: AdapterRole, rows: Int?, columns: Int) throws -> Tensor {
        let expected = "shape [\(rows.map { "\($0)" } ?? "r"), \(columns)]"
        let numbers = try tensor(role, expected: expected) { found in
            found.rank >= 2 && found.dimensions.dropFirst(2).allSatisfy { $0 == 1 }
                && (rows.map { found[0] == $0 } ?? (found[0] > 0)) && found[1] == columns
        }
        return numbers.reshaped(to: [numbers.shape[0], numbers.shape[1]])
    }

    /// A tensor in `float32` whose shape passes `isRight`; `expected` says in words which do. Throws `FileError` when it is
    /// missing, of another shape or type, or holds NaN or infinity.
    public func tensor(_ role: AdapterRole, expected: String, where isRight: (Shape) -> Bool) throws -> Tensor {
        guard let key = keys[role] else {
            throw FileError(
                path, key: key(role), expected: "a tensor beside '\(keys.values.sorted()[0])'", found: "none")
        }
        let stored = try file.archive.tensor(key)
        guard isRight(stored.shape) else {
            throw FileError(path, key: key, expected: expected, found: "\(stored.shape)")
        }
        guard stored.dtype.isFloatingPoint else {
            throw FileError(path, key: key, expected: "a floating-point type", found: "\(stored.dtype)")
        }
        guard stored.isFinite else {
            throw FileError(path, key: key, expected: "finite numbers", found: "NaN or infinity")
        }
        // A copy even of float32: the file may change or vanish while the adapter is in use.
        return stored.dtype == .float32 ? stored.copied() : stored.converted(to: .float32)
    }

    /// The key that a tensor beside the others of its layer would have, in the file's own way.
    public func key(_ role: AdapterRole) -> String {
        guard let other = keys.values.sorted().first, let parsed = try? AdapterKey(other, path: path) else {
            return "\(file.naming.component).\(layer).\(role.ending)"
        }
        let isKohyas = parsed.role.kohyaEnding != parsed.role.ending && other.hasSuffix(parsed.role.kohyaEnding)
        return "\(parsed.stem).\(isKohyas ? role.kohyaEnding : role.ending)"
    }
}

extension TensorArchive {
    /// The alpha that stands beside an adapter's weights, of any type of numbers. Throws `FileError` when it is not one
    /// finite number.
    func adapterAlpha(_ key: String) throws -> Float {
        let value = try tensor(key)
        guard value.count == 1, value.dtype != .bool, value.scalar.isFinite else {
            let what = value.count == 1 && value.dtype != .bool ? "\(value.scalar)" : "\(value.dtype) \(value.shape)"
            throw FileError(path, key: printable(key), expected: "one finite number", found: what)
        }
        return value.scalar
    }
}
