public import TensorCore

/// The part of an archive whose names begin with a prefix, without it: one model of a checkpoint that holds several.
public struct PrefixedArchive: TensorArchive {
    /// The names in the order of the file, without the prefix.
    public let names: [String]
    private let source: any TensorArchive
    private let prefix: String

    /// Shows what of `source` lies under `prefix`, its dot included.
    public init(_ source: any TensorArchive, prefix: String) {
        self.source = source
        self.prefix = prefix
        names = source.names.filter { $0.hasPrefix(prefix) }.map { String($0.dropFirst(prefix.count)) }
    }

    /// The source's path.
    public var path: String { source.path }

    /// The source's metadata.
    public func metadataText(_ key: String) -> String? { source.metadataText(key) }

    /// Type and shape of a tensor.
    public func info(_ name: String) -> TensorInfo? { source.info(prefix + name) }

    /// Reads a tensor; errors name it with its prefix.
    public func tensor(_ name: String) throws -> Tensor { try source.tensor(prefix + name) }

    /// A tensor as it is stored; errors name it with its prefix.
    public func stored(_ name: String) throws -> StoredTensor { try source.stored(prefix + name) }
}

/// An archive whose weights are multiplied by the scales that lie beside them, as ComfyUI keeps eight-bit floating point:
/// `X.weight` with a number `X.scale_weight` or `X.weight_scale`.
///
/// Scales for activations (`scale_input`, `input_scale`), which are not quantised here, the mark `scaled_fp8`, ComfyUI's
/// notes `comfy_quant` and a tokenizer that was packed in as bytes (`spiece_model`) are left out of the names.
public struct ScaledArchive: TensorArchive {
    /// The names of the weights in the order of the file.
    public let names: [String]
    private let source: any TensorArchive
    /// The scale's name for each weight that has one.
    private let scaleNames: [String: String]

    private static let scaleEndings = [".scale_weight", ".weight_scale"]
    private static let notedEndings = ["scale_input", "input_scale", "scaled_fp8", "comfy_quant", "spiece_model"]

    /// The archive itself where it has none of these names.
    public static func wrapping(_ source: any TensorArchive) -> any TensorArchive {
        let isAny = source.names.contains { scaledName($0) != nil || isNote($0) }
        return isAny ? ScaledArchive(source) : source
    }

    private init(_ source: any TensorArchive) {
        self.source = source
        var scaleNames: [String: String] = [:]
        for name in source.names {
            if let weight = Self.scaledName(name) { scaleNames[weight] = name }
        }
        self.scaleNames = scaleNames
        names = source.names.filter { Self.scaledName($0) == nil && !Self.isNote($0) }
    }

    /// The weight that a scale of this name belongs to.
    private static func scaledName(_ name: String) -> String? {
        scaleEndings.first(where: name.hasSuffix).map { String(name.dropLast($0.count)) + ".weight" }
    }

    private static func isNote(_ name: String) -> Bool {
        notedEndings.contains { name == $0 || name.hasSuffix("." + $0) }
    }

    /// The source's path.
    public var path: String { source.path }

    /// The source's metadata.
    public func metadataText(_ key: String) -> String? { source.metadataText(key) }

    /// Type and shape of a tensor.
    public func info(_ name: String) -> TensorInfo? {
        Self.scaledName(name) == nil && !Self.isNote(name) ? source.info(name) : nil
    }

    /// Reads a tensor, multiplied by its scale.
    public func tensor(_ name: String) throws -> Tensor { try stored(name).expanded(to: .float32) }

    /// A tensor as it is stored, its scale with it. Throws ``FileError`` when the scale is not one finite number.
    public func stored(_ name: String) throws -> StoredTensor {
        let stored = try source.stored(name)
        guard let scaleName = scaleNames[name] else { return stored }
        let scale = try source.tensor(scaleName)
        guard scale.dtype.isFloatingPoint, scale.count == 1, scale.scalar.isFinite else {
            throw FileError(
                path, key: printable(scaleName), expected: "one finite number", found: "\(scale.dtype) \(scale.shape)")
        }
        if scale.scalar == 1 { return stored }
        switch stored {
        case .quantized(let blocks): return .quantized(blocks.scaled(by: scale.scalar))
        case .plain(let tensor):
            guard tensor.dtype.isFloatingPoint else { return stored }
            return .plain((tensor.converted(to: .float32) * scale.scalar).converted(to: tensor.dtype))
        }
    }
}

/// An archive without those of its tensors that do not concern a model: the other half of a file for two, say.
public struct FilteredArchive: TensorArchive {
    /// The names that are left, in the order of the file.
    public let names: [String]
    private let source: any TensorArchive
    private let prefixes: [String]

    /// Leaves out what begins with one of `prefixes`.
    public init(_ source: any TensorArchive, dropping prefixes: [String]) {
        self.source = source
        self.prefixes = prefixes
        names = source.names.filter { name in !prefixes.contains { name.hasPrefix($0) } }
    }

    private func isLeft(_ name: String) -> Bool { !prefixes.contains { name.hasPrefix($0) } }

    /// The source's path.
    public var path: String { source.path }

    /// The source's metadata.
    public func metadataText(_ key: String) -> String? { source.metadataText(key) }

    /// Type and shape of a tensor that is left.
    public func info(_ name: String) -> TensorInfo? { isLeft(name) ? source.info(name) : nil }

    /// Reads a tensor.
    public func tensor(_ name: String) throws -> Tensor { try source.tensor(name) }

    /// A tensor as it is stored.
    public func stored(_ name: String) throws -> StoredTensor { try source.stored(name) }
}
