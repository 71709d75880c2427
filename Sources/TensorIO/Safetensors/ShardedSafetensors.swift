public import TensorCore

/// A model spread over several safetensors files by an index, `NAME.safetensors.index.json`.
///
/// The index is the one that transformers and diffusers write: `{"metadata": {…}, "weight_map": {tensor: file}}`, files
/// lying beside it.
public struct ShardedSafetensors: TensorArchive, Sendable {
    /// Where the index lies.
    public let path: String
    /// The names of all tensors in the order of the index.
    public let names: [String]
    /// The files by their names in the index.
    public let shards: [String: SafetensorsFile]
    private let shardNames: [String: String]

    /// Opens the index and every file that it names.
    ///
    /// Throws ``FileError`` when the index or a file is malformed, or when a file lacks a tensor that the index places
    /// in it.
    public init(indexPath path: String) throws {
        let map = try Self.weightMap(path)
        let folder = path.lastIndex(of: "/").map { String(path[...$0]) } ?? ""
        var shards: [String: SafetensorsFile] = [:]
        for (name, file) in map {
            let isBeside = !file.isEmpty && !file.contains("/") && file != "." && file != ".." && !file.utf8.contains(0)
            guard isBeside else {
                throw FileError(
                    path, key: printable(name), expected: "a file beside the index", found: "'\(printable(file))'")
            }
            let shard = try shards[file] ?? SafetensorsFile(path: folder + file)
            shards[file] = shard
            guard shard.entry(name) != nil else {
                throw FileError(
                    path, key: printable(name), expected: "the tensor in \(file)", found: "none of this name",
                    nearest: nearestName(to: name, among: shard.names))
            }
        }
        self.path = path
        names = map.map(\.name)
        self.shards = shards
        shardNames = Dictionary(uniqueKeysWithValues: map.map { ($0.name, $0.file) })
    }

    /// Type and shape of a tensor; nil when there is none of that name or ``SafetensorsFile/info(_:)`` gives none.
    public func info(_ name: String) -> TensorInfo? { shard(of: name)?.info(name) }

    /// A tensor that views its mapped file; see ``SafetensorsFile/tensor(_:)``.
    public func tensor(_ name: String) throws -> Tensor { try stored(name).expanded(to: .float32) }

    /// A tensor that views its mapped file; see ``SafetensorsFile/stored(_:)``.
    public func stored(_ name: String) throws -> StoredTensor {
        guard let shard = shard(of: name) else {
            throw FileError(
                path, key: printable(name), expected: "a tensor of this name", found: "none among \(names.count)",
                nearest: nearestName(to: name, among: names))
        }
        return try shard.stored(name)
    }

    private func shard(of name: String) -> SafetensorsFile? { shardNames[name].flatMap { shards[$0] } }

    private static func weightMap(_ path: String) throws -> [(name: String, file: String)] {
        let file: MappedFile
        do { file = try MappedFile(path: path) } catch {
            throw FileError(path, expected: "a readable index of safetensors files", found: error.reason)
        }
        guard file.byteCount <= SafetensorsHeader.longestHeader else {
            throw FileError(
                path, expected: "an index of at most \(SafetensorsHeader.longestHeader) bytes",
                found: "\(file.byteCount)")
        }
        var reader = JSONReader(Array(file.bytes))
        var map: [(name: String, file: String)]?
        do {
            try reader.object { reader, key in
                guard key == "weight_map" else { return try reader.skipValue() }
                // The dictionary of names takes canonically equivalent ones for one.
                var (pairs, names): ([(name: String, file: String)], Set<String>) = ([], [])
                try reader.members { reader, name, position in
                    guard names.insert(name).inserted else { throw JSONFault(repeated: name, at: position) }
                    pairs.append((name, try reader.string()))
                }
                map = pairs
            }
            try reader.end("nothing after the closing '}'")
        } catch let fault as JSONFault {
            if let content = FileContent.notFetched(file.bytes) {
                throw FileError(path, expected: "an index of safetensors files", found: content)
            }
            throw FileError(
                path, expected: fault.expected, found: "\(fault.found ?? "the end") at byte \(fault.position)")
        }
        guard let map else { throw FileError(path, key: "weight_map", expected: "the map of tensors", found: "none") }
        return map
    }
}
