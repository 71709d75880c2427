public import TensorCore
public import TensorIO

/// How a file keeps one or several of a model's tensors under a name of its own.
public struct KeyMapping: Sendable {
    /// The name in the file.
    public var source: String
    /// The model's tensors that make up the file's, one after the other along the first axis.
    public var parts: [(name: String, shape: Shape)]
    /// Whether the file has the two halves along the first axis in the other order.
    public var swapsHalves: Bool

    /// Several tensors in one.
    public init(_ source: String, _ parts: [(name: String, shape: Shape)], swapsHalves: Bool = false) {
        self.source = source
        self.parts = parts
        self.swapsHalves = swapsHalves
    }

    /// One tensor under another name.
    public init(_ source: String, _ name: String, _ shape: Shape) { self.init(source, [(name, shape)]) }

    /// The shape in the file; extents of 1 at its end may follow there, as 1 x 1 convolutions have them.
    public var sourceShape: Shape {
        var shape = parts[0].shape
        if shape.rank > 0 { shape[0] = parts.reduce(0) { $0 + $1.shape[0] } }
        return shape
    }
}

/// An archive under the names of a model whose file keeps them otherwise: renamed, fused, with halves exchanged.
///
/// The parts of a fused tensor are views of its rows; only exchanged halves are copied.
public struct KeyMappedArchive: TensorArchive {
    /// The model's names, in the order of the keyMappings.
    public let names: [String]
    private let source: any TensorArchive
    private struct Place {
        var mapping: KeyMapping
        var part: Int
    }
    private let places: [String: Place]

    /// Checks that `source` has exactly the tensors of the keyMappings and those that are `ignored`.
    ///
    /// Throws `WeightError`, in the file's own names, with all that are missing, unexpected or of the wrong shape.
    public init(
        _ source: any TensorArchive, _ keyMappings: [KeyMapping],
        ignoring isIgnored: (String) -> Bool = { _ in false }
    ) throws {
        var places: [String: Place] = [:]
        var (missing, misshapen): ([String], [WeightError.Misshapen]) = ([], [])
        let present = Set(source.names)
        for mapping in keyMappings {
            for (part, target) in mapping.parts.enumerated() {
                places[target.name] = Place(mapping: mapping, part: part)
            }
            guard present.contains(mapping.source) else {
                missing.append(mapping.source)
                continue
            }
            guard let info = source.info(mapping.source) else {
                _ = try source.stored(mapping.source)  // says which type it has
                continue
            }
            let expected = mapping.sourceShape
            if Self.withoutTrailingOnes(info.shape) != Self.withoutTrailingOnes(expected) {
                misshapen.append(.init(key: mapping.source, expected: expected, found: info.shape))
            }
        }
        let known = Set(keyMappings.map(\.source))
        let unexpected = source.names.filter { !known.contains($0) && !isIgnored($0) }
        guard missing.isEmpty, misshapen.isEmpty, unexpected.isEmpty else {
            throw WeightError(path: source.path, missing: missing, unexpected: unexpected, misshapen: misshapen)
        }
        self.source = source
        self.places = places
        names = keyMappings.flatMap { $0.parts.map(\.name) }
    }

    private static func withoutTrailingOnes(_ shape: Shape) -> [Int] {
        var extents = shape.dimensions
        while extents.last == 1 { extents.removeLast() }
        return extents
    }

    /// The source's path.
    public var path: String { source.path }

    /// The source's metadata.
    public func metadataText(_ key: String) -> String? { source.metadataText(key) }

    /// Type and shape of a tensor.
    public func info(_ name: String) -> TensorInfo? {
        guard let place = places[name], var info = source.info(place.mapping.source) else { return nil }
        info.shape = place.mapping.parts[place.part].shape
        return info
    }

    /// Reads a tensor; quantised ones are dequantised to `float32`.
    public func tensor(_ name: String) throws -> Tensor { try stored(name).expanded(to: .float32) }

    /// A tensor as it is stored. Throws `FileError` when there is none of this name.
    public func stored(_ name: String) throws -> StoredTensor {
        guard let place = places[name] else {
            throw FileError(
                path, key: name, expected: "a tensor of the model", found: "none of this name",
                nearest: nearestName(to: name, among: names))
        }
        let mapping = place.mapping
        let isWhole = mapping.parts.count == 1
        var stored = try source.stored(mapping.source)
        if case .quantized(let blocks) = stored, blocks.shape.rank < 2, !(isWhole && !mapping.swapsHalves) {
            // A vector is one row: its blocks need not end where its parts do.
            stored = .plain(blocks.dequantized())
        }
        stored = stored.reshaped(to: mapping.sourceShape)
        if mapping.swapsHalves { stored = stored.withHalvesSwapped() }
        if isWhole { return stored }
        let start = mapping.parts[..<place.part].reduce(0) { $0 + $1.shape[0] }
        return stored.rows(start..<start + mapping.parts[place.part].shape[0])
    }
}
