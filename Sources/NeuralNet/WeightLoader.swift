public import Autograd
public import TensorCore
public import TensorIO

/// Hands a model's constructor the tensors of an archive by key, and remembers every fault on the way, so that one
/// error can name them all.
///
/// ```swift
/// let loader = WeightLoader(archive)
/// let model = FluxTransformer(configuration, loader)
/// try loader.finish()  // throws WeightError: everything missing, unexpected or of the wrong shape
/// ```
public struct WeightLoader {
    /// Where tensors come from.
    private enum Source {
        case archive(any TensorArchive)
        /// Drawn from a seed, in a type.
        case fresh(Random, DType)
    }

    /// What all loaders made from one another share.
    private final class Record {
        var source: Source
        var used: Set<String> = []
        var missing: [String] = []
        var misshapen: [WeightError.Misshapen] = []
        var unreadable: [any Error] = []

        init(_ source: Source) { self.source = source }

        var archive: (any TensorArchive)? {
            if case .archive(let archive) = source { return archive }
            return nil
        }
    }

    private let record: Record
    /// The names before every key, each followed by a dot.
    public let prefix: String

    /// Reads from `archive`, whose keys all begin with `prefix`.
    public init(_ archive: any TensorArchive, prefix: String = "") {
        record = Record(.archive(archive))
        self.prefix = prefix
    }

    /// Draws fresh weights instead of reading them: matrices and kernels gaussian with deviation `1 / sqrt(inputs)`,
    /// vectors named `weight` one, other vectors zero, all rounded to `dtype`.
    public init(initializing dtype: DType, seed: UInt64) {
        record = Record(.fresh(Random(seed: seed), dtype))
        prefix = ""
    }

    private init(_ record: Record, prefix: String) {
        self.record = record
        self.prefix = prefix
    }

    /// A loader for a part: its keys begin with `name.`.
    public func scoped(_ name: String) -> WeightLoader { WeightLoader(record, prefix: "\(prefix)\(name).") }

    /// A loader for a numbered part.
    public func scoped(_ name: String, _ index: Int) -> WeightLoader { scoped("\(name).\(index)") }

    /// Whether the archive has a tensor of this name.
    public func contains(_ name: String) -> Bool { record.archive?.info(prefix + name) != nil }

    /// Counts a key as expected without reading it: a duplicate of another, say.
    public func ignore(_ name: String) { record.used.insert(prefix + name) }

    /// The parameter `name` of shape `shape`, in its file's type, or in `Parameter.expandedType` where the file has it
    /// quantised. After a fault it is a broadcast zero, so that the
    /// constructor can go on; ``finish()`` throws then.
    public func parameter(_ name: String, _ shape: Shape) -> Parameter { read(name, shape, keepsBlocks: false) }

    /// The matrix of a linear layer or an embedding: as ``parameter(_:_:)``, but in its blocks where the file has it quantised.
    public func weight(_ name: String, _ shape: Shape) -> Parameter { read(name, shape, keepsBlocks: true) }

    private func read(_ name: String, _ shape: Shape, keepsBlocks: Bool) -> Parameter {
        let key = prefix + name
        record.used.insert(key)
        if case .fresh(var random, let dtype) = record.source {
            let value = Self.initial(name, shape, dtype, &random)
            record.source = .fresh(random, dtype)
            return Parameter(value)
        }
        let substitute = Parameter(Tensor(0).expanded(to: shape))
        guard let archive = record.archive else { return substitute }
        guard let info = archive.info(key) else {
            // A tensor of a type that no `Tensor` has is there all the same: the archive says so itself.
            if archive.names.contains(key) {
                do { _ = try archive.tensor(key) } catch { record.unreadable.append(error) }
            } else {
                record.missing.append(key)
            }
            return substitute
        }
        guard info.shape == shape else {
            record.misshapen.append(.init(key: key, expected: shape, found: info.shape))
            return substitute
        }
        do {
            let stored = try archive.stored(key)
            return keepsBlocks ? Parameter(stored) : Parameter(stored.expanded(to: Parameter.expandedType))
        } catch {
            record.unreadable.append(error)
            return substitute
        }
    }

    /// Drawn piece by piece, so that a large matrix needs little memory beside its own.
    private static func initial(_ name: String, _ shape: Shape, _ dtype: DType, _ random: inout Random) -> Tensor {
        if shape.rank < 2 { return Tensor(full: shape, name == "weight" ? 1 : 0, dtype: dtype) }
        let inputs = shape.dimensions.dropFirst().reduce(1, *)
        let deviation = 1 / Float(max(inputs, 1)).squareRoot()
        let weight = Tensor(zeros: [shape.count], dtype: dtype)
        for start in stride(from: 0, to: shape.count, by: 1 << 20) {
            let end = min(start + 1 << 20, shape.count)
            let piece = (random.randn([end - start]) * deviation).converted(to: dtype)
            weight.sliced(axis: 0, start..<end).accumulate(piece)
        }
        return weight.reshaped(to: shape.dimensions)
    }

    /// Ends the loading: throws ``WeightError`` with every fault, keys of the archive that nothing asked for included.
    public func finish() throws {
        if let fault = record.unreadable.first { throw fault }
        guard let archive = record.archive else { return }
        let unexpected = archive.names.filter { $0.hasPrefix(prefix) && !record.used.contains($0) }
        if record.missing.isEmpty && record.misshapen.isEmpty && unexpected.isEmpty { return }
        throw WeightError(
            path: archive.path, missing: record.missing, unexpected: unexpected, misshapen: record.misshapen)
    }
}

/// All keys in which an archive differs from what a model expects.
public struct WeightError: Error, CustomStringConvertible, Equatable {
    /// A tensor of the wrong shape.
    public struct Misshapen: Equatable, Sendable {
        /// Its key.
        public let key: String
        /// The shape that the configuration asks for.
        public let expected: Shape
        /// The shape in the file.
        public let found: Shape

        /// Names the tensor and both shapes.
        public init(key: String, expected: Shape, found: Shape) {
            self.key = key
            self.expected = expected
            self.found = found
        }
    }

    /// The archive.
    public let path: String
    /// Keys that the model needs and the archive lacks.
    public let missing: [String]
    /// Keys that the archive has and the model does not know.
    public let unexpected: [String]
    /// Tensors of the wrong shape.
    public let misshapen: [Misshapen]

    /// One line; long lists are cut after eight names, with the number of the rest.
    public var description: String {
        var parts: [String] = []
        if !missing.isEmpty { parts.append("\(missing.count) missing: " + Self.list(missing.map(suggesting))) }
        if !unexpected.isEmpty { parts.append("\(unexpected.count) unexpected: " + Self.list(unexpected)) }
        if !misshapen.isEmpty {
            let lines = misshapen.map { "\($0.key) expected \($0.expected), found \($0.found)" }
            parts.append("\(misshapen.count) of the wrong shape: " + Self.list(lines))
        }
        return "\(path): the tensors do not fit the model: " + parts.joined(separator: "; ")
    }

    private func suggesting(_ key: String) -> String {
        guard unexpected.count <= 64, let near = nearestName(to: key, among: unexpected) else { return key }
        return "\(key) (is it '\(near)'?)"
    }

    private static func list(_ names: [String]) -> String {
        let shown = names.prefix(8).map { printable($0, limit: 240) }.joined(separator: ", ")
        return names.count > 8 ? "\(shown), and \(names.count - 8) more" : shown
    }
}
