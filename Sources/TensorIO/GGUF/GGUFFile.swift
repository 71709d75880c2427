public import TensorCore

/// A GGUF file, mapped into memory: ggml's format of metadata and tensors, most of them quantised.
///
/// ```swift
/// let file = try GGUFFile(path: "flux1-fill-dev-Q4_0.gguf")
/// file.metadata["general.architecture"]?.text  // "flux"
/// let weight = try file.stored("double_blocks.0.img_attn.qkv.weight")  // blocks, not read yet
/// ```
public struct GGUFFile: TensorArchive, Sendable {
    /// Where the file lies.
    public let path: String
    /// The version of the format: 2 or 3.
    public let version: Int
    /// All tensors in the order of the header, those of a type that this toolkit cannot hold included.
    public let entries: [GGUFEntry]
    /// The metadata by key.
    public let metadata: [String: GGUFValue]
    /// The keys of the metadata in the order of the file.
    public let metadataKeys: [String]
    private let file: MappedFile
    private let indices: [String: Int]
    /// The shapes of tensors that were written with fewer extents than they have.
    private let originalShapes: [String: Shape]

    /// Maps the file and checks its whole header; the tensors' bytes are not touched.
    ///
    /// Throws ``FileError`` when the file cannot be read or its header breaks a rule of the format.
    public init(path: String) throws {
        do { file = try MappedFile(path: path) } catch {
            throw FileError(path, expected: "a readable GGUF file", found: error.reason)
        }
        let header = try GGUFHeader(file)
        self.path = path
        version = header.version
        entries = header.entries
        metadataKeys = header.metadata.map(\.key)
        metadata = Dictionary(uniqueKeysWithValues: header.metadata.map { ($0.key, $0.value) })
        indices = Dictionary(uniqueKeysWithValues: header.entries.enumerated().map { ($1.name, $0) })
        originalShapes = try Self.originalShapes(header, path)
    }

    /// What stands before a tensor's name where ComfyUI-GGUF's converter keeps the shape that it had.
    private static let originalShapePrefix = "comfy.gguf.orig_shape."

    private static func originalShapes(_ header: GGUFHeader, _ path: String) throws -> [String: Shape] {
        guard header.metadata.contains(where: { $0.key.hasPrefix(originalShapePrefix) }) else { return [:] }
        var counts: [String: Int] = [:]
        for entry in header.entries { counts[entry.name] = entry.shape.count }
        var shapes: [String: Shape] = [:]
        for (key, value) in header.metadata where key.hasPrefix(originalShapePrefix) {
            let name = String(key.dropFirst(originalShapePrefix.count))
            // Names of tensors that a file no longer has do no harm.
            guard let count = counts[name] else { continue }
            let extents = value.array?.numbers?.compactMap { Int(exactly: $0) } ?? []
            var product: Int? = extents.isEmpty || extents.count > 8 || extents.contains { $0 < 0 } ? nil : 1
            for extent in extents { product = product.flatMap { times($0, extent) } }
            guard extents.count == value.array?.count, product == count else {
                throw FileError(
                    path, key: printable(key), expected: "extents whose product is \(count)",
                    found: extents.isEmpty ? value.description : "\(extents.prefix(8))")
            }
            shapes[name] = Shape(extents)
        }
        return shapes
    }

    private static func times(_ a: Int, _ b: Int) -> Int? {
        let (product, overflow) = a.multipliedReportingOverflow(by: b)
        return overflow ? nil : product
    }

    /// Whether the file at `path` begins like a GGUF file. Throws ``FileError`` when it cannot be read.
    public static func isGGUF(_ path: String) throws -> Bool {
        let file: MappedFile
        do { file = try MappedFile(path: path) } catch {
            throw FileError(path, expected: "a readable safetensors or GGUF file", found: error.reason)
        }
        return withExtendedLifetime(file) { file.bytes.starts(with: GGUFHeader.magic) }
    }

    /// The names of all tensors in the order of the header.
    public var names: [String] { entries.map(\.name) }

    /// A text of the metadata; nil where the key is absent or has a value of another type.
    public func metadataText(_ key: String) -> String? { metadata[key]?.text }

    /// What the header says of a tensor; nil when there is none of that name.
    public func entry(_ name: String) -> GGUFEntry? { indices[name].map { entries[$0] } }

    /// Type and shape of a tensor; nil when there is none of that name, or when its type is one that only ``entry(_:)``
    /// can describe (``stored(_:)`` then throws an error that names the type).
    public func info(_ name: String) -> TensorInfo? {
        guard let entry = entry(name) else { return nil }
        let shape = originalShapes[name] ?? entry.shape
        guard let format = entry.type.quantization else {
            return entry.type.dtype.map { TensorInfo(dtype: $0, shape: shape) }
        }
        return (shape.dimensions.last ?? 1) % format.blockElements == 0
            ? TensorInfo(quantization: format, shape: shape) : TensorInfo(dtype: .float32, shape: shape)
    }

    /// A tensor that views the mapped file, quantised ones in their blocks; in the shape that it had before it was
    /// converted, where the file says so (`comfy.gguf.orig_shape`), dequantised if its rows are no whole blocks then.
    ///
    /// Throws ``FileError`` when there is no such tensor, or when its type is none that this toolkit can hold.
    public func stored(_ name: String) throws -> StoredTensor {
        guard let entry = entry(name) else {
            throw FileError(
                path, key: printable(name), expected: "a tensor of this name", found: "none among \(entries.count)",
                nearest: nearestName(to: name, among: names))
        }
        let start = entry.byteRange.lowerBound
        let shape = originalShapes[name] ?? entry.shape
        if let format = entry.type.quantization {
            let blocks = file.quantizedTensor(format: format, shape: entry.shape, byteOffset: start)
            if (shape.dimensions.last ?? 1) % format.blockElements == 0 {
                return .quantized(blocks.reshaped(to: shape))
            }
            return .plain(blocks.dequantized().reshaped(to: shape.dimensions))
        }
        guard let dtype = entry.type.dtype else {
            let held = GGUFTensorType.all.filter(\.isHeld).map(\.name)
            throw FileError(
                path, key: printable(name), expected: "a type among " + held.joined(separator: ", "),
                found: entry.type.name)
        }
        return .plain(file.tensor(dtype: dtype, shape: shape, byteOffset: start))
    }

    /// A tensor; quantised ones are dequantised to `float32`. Throws as ``stored(_:)`` does.
    public func tensor(_ name: String) throws -> Tensor { try stored(name).expanded(to: .float32) }
}
