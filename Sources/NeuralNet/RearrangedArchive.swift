public import TensorCore
public import TensorIO

/// How a file keeps one or several of a model's tensors under a name of its own.
public struct TensorArrangement: Sendable {
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
public struct RearrangedArchive: TensorArchive {
    /// The model's names, in the order of the arrangements.
    public let names: [String]
    private let source: any TensorArchive
    private struct Place {
        var arrangement: TensorArrangement
        var part: Int
    }
    private let places: [String: Place]

    /// Checks that `source` has exactly the tensors of the arrangements and those that are `ignored`.
    ///
    /// Throws `WeightError`, in the file's own names, with all that are missing, unexpected or of the wrong shape.
    public init(
        _ source: any TensorArchive, _ arrangements: [TensorArrangement],
        ignoring isIgnored: (String) -> Bool = { _ in false }
    ) throws {
        var places: [String: Place] = [:]
        var (missing, misshapen): ([String], [WeightError.Misshapen]) = ([], [])
        let present = Set(source.names)
        for arrangement in arrangements {
            for (part, target) in arrangement.parts.enumerated() {
                places[target.name] = Place(arrangement: arrangement, part: part)
            }
            guard present.contains(arrangement.source) else {
                missing.append(arrangement.source)
                continue
            }
            guard let info = source.info(arrangement.source) else {
                _ = try source.stored(arrangement.source)  // says which type it has
                continue
            }
            let expected = arrangement.sourceShape
            if Self.withoutTrailingOnes(info.shape) != Self.withoutTrailingOnes(expected) {
                misshapen.append(.init(key: arrangement.source, expected: expected, found: info.shape))
            }
        }
        let known = Set(arrangements.map(\.source))
        let unexpected = source.names.filter { !known.contains($0) && !isIgnored($0) }
        guard missing.isEmpty, misshapen.isEmpty, unexpected.isEmpty else {
            throw WeightError(path: source.path, missing: missing, unexpected: unexpected, misshapen: misshapen)
        }
        self.source = source
        self.places = places
        names = arrangements.flatMap { $0.parts.map(\.name) }
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
        guard let place = places[name], var info = source.info(place.arrangement.source) else { return nil }
        info.shape = place.arrangement.parts[place.part].shape
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
        let arrangement = place.arrangement
        let isWhole = arrangement.parts.count == 1
        var stored = try source.stored(arrangement.source)
        if case .quantized(let blocks) = stored, blocks.shape.rank < 2, !(isWhole && !arrangement.swapsHalves) {
            // A vector is one row: its blocks need not end where its parts do.
            stored = .plain(blocks.dequantized())
        }
        stored = stored.reshaped(to: arrangement.sourceShape)
        if arrangement.swapsHalves { stored = stored.withHalvesSwapped() }
        if isWhole { return stored }
        let start = arrangement.parts[..<place.part].reduce(0) { $0 + $1.shape[0] }
        return stored.rows(start..<start + arrangement.parts[place.part].shape[0])
    }
}
