public import TensorCore

/// A `.safetensors` file whose tensors are views of the mapped file: nothing is read before it is used.
///
///     let weights = try SafetensorsFile(path: "vae/diffusion_pytorch_model.safetensors")
///     let kernel = try weights.tensor("encoder.conv_in.weight")
///
/// Format: https://huggingface.co/docs/safetensors, checked as strictly as its own reader does.
public struct SafetensorsFile: TensorArchive, Sendable {
    /// Where the file lies.
    public let path: String
    /// All tensors in the order of the header, those of a type that this toolkit cannot hold included.
    public let entries: [SafetensorsEntry]
    /// The header's `__metadata__`.
    public let metadata: [String: String]
    private let file: MappedFile
    private let indices: [String: Int]

    /// Maps the file and checks its whole header; the tensors' bytes are not touched.
    ///
    /// Throws ``FileError`` when the file cannot be read or its header breaks a rule of the format.
    public init(path: String) throws { try self.init(path: path, expected: "a safetensors file") }

    /// The same; `expected` is what an error says of a file that is something else.
    init(path: String, expected: String) throws {
        do { file = try MappedFile(path: path) } catch {
            throw FileError(path, expected: "a readable safetensors file", found: error.reason)
        }
        let header = try SafetensorsHeader(file, expected: expected)
        self.path = path
        entries = header.entries
        metadata = header.metadata
        indices = header.indices
    }

    /// The names of all tensors in the order of the header.
    public var names: [String] { entries.map(\.name) }

    /// A value of the header's `__metadata__`.
    public func metadataText(_ key: String) -> String? { metadata[key] }

    /// What the header says of a tensor; nil when there is none of that name.
    public func entry(_ name: String) -> SafetensorsEntry? { indices[name].map { entries[$0] } }

    /// Type and shape of a tensor; nil when there is none of that name, or when its type is one that only ``entry(_:)``
    /// can describe (``tensor(_:)`` then throws an error that names the type).
    public func info(_ name: String) -> TensorInfo? {
        guard let entry = entry(name), let type = SafetensorsElementType(rawValue: entry.dtypeName) else { return nil }
        let shape = Shape(entry.dimensions)
        if let format = type.quantization { return TensorInfo(quantization: format, shape: shape) }
        return type.dtype.map { TensorInfo(dtype: $0, shape: shape) }
    }

    /// A tensor that views the mapped file, or an owned copy where the file is not aligned for its type; eight-bit
    /// floating point and doubles become `float32`. Throws as ``stored(_:)`` does.
    public func tensor(_ name: String) throws -> Tensor { try stored(name).expanded(to: .float32) }

    /// A tensor that views the mapped file, eight-bit floating point as it is; an owned copy where the file is not
    /// aligned for its type, and of doubles, which become `float32`.
    ///
    /// Throws ``FileError`` when there is no such tensor, when its type is neither a ``DType``, eight-bit floating point
    /// nor `F64`, when a double is too large for `float32`, or when a `BOOL` tensor holds bytes other than 0 and 1.
    public func stored(_ name: String) throws -> StoredTensor {
        guard let entry = entry(name) else {
            throw FileError(
                path, key: printable(name), expected: "a tensor of this name",
                found: "none among \(entries.count)", nearest: nearestName(to: name, among: names))
        }
        guard let info = info(name) else {
            let held = SafetensorsElementType.allCases.filter { $0.dtype != nil || $0.quantization != nil }
            throw FileError(
                path, key: printable(name), expected: "dtype " + held.map(\.rawValue).joined(separator: ", "),
                found: entry.dtypeName)
        }
        let start = entry.byteRange.lowerBound
        if let format = info.quantization {
            return .quantized(file.quantizedTensor(format: format, shape: info.shape, byteOffset: start))
        }
        if entry.dtypeName == SafetensorsElementType.f64.rawValue {
            return .plain(try narrowedDoubles(entry, shape: info.shape))
        }
        if info.dtype == .bool, let wrong = file.bytes[entry.byteRange].first(where: { $0 > 1 }) {
            throw FileError(path, key: printable(name), expected: "bytes 0 or 1 for BOOL", found: "\(wrong)")
        }
        return .plain(file.tensor(dtype: info.dtype, shape: info.shape, byteOffset: start))
    }

    private func narrowedDoubles(_ entry: SafetensorsEntry, shape: Shape) throws -> Tensor {
        let result = Tensor(uninitialized: shape)
        let numbers = result.pointer(to: Float.self)
        let bytes = UnsafeRawBufferPointer(rebasing: file.bytes[entry.byteRange])
        for index in 0..<shape.count {
            let double = Double(
                bitPattern: UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: 8 * index, as: UInt64.self)))
            let narrow = Float(double)
            if double.isFinite && !narrow.isFinite {
                throw FileError(
                    path, key: printable(entry.name), expected: "doubles within the range of float32",
                    found: "\(double)")
            }
            numbers[index] = narrow
        }
        return result
    }
}
