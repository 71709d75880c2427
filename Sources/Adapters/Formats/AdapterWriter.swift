import TensorCore
import TensorIO

/// Collects the tensors and the header of an adapter file.
struct AdapterWriter {
    /// Where the adapters come from, for errors.
    let path: String
    let format: AdapterFormat
    let naming: AdapterNaming
    let dtype: DType
    private var tensors: [(name: String, tensor: Tensor)] = []
    /// Every layer that was added.
    private var layers: [AdaptedLayer] = []
    /// What PEFT's configuration says of layers, under their names in the file.
    private var peft: [(name: String, rank: Int, alpha: Float, method: any AdapterMethod.Type)] = []
    /// What is put under the names of the model's authors when all layers are known.
    private var parts: [String: AdapterWeights] = [:]
    /// How many of these stand outside the model's blocks.
    private var looseLayers = 0
    private var narrowing = Narrowing()

    init(path: String, format: AdapterFormat, naming: AdapterNaming, dtype: DType) {
        precondition(dtype.isFloatingPoint, "adapters written as \(dtype)")
        self.path = path
        self.format = format
        self.naming = naming
        self.dtype = dtype
    }

    /// Adds one layer. Throws ``AdapterError/unwritable(format:reason:)`` when the format cannot hold it, and `FileError`
    /// when a number is too large for the type.
    mutating func add(_ layer: AdaptedLayer) throws {
        let method = layer.weights.method
        let kind = type(of: method)
        guard kind.formats.contains(format) else {
            throw AdapterError.unwritable(
                format: format,
                reason: "'\(layer.name)' is \(kind.title), which \(format.program) cannot hold: "
                    + "\(AdapterMethods.holders(of: kind)) can\(kind.advice)")
        }
        if let reason = method.refusal(of: format, layer: layer.name) {
            throw AdapterError.unwritable(format: format, reason: reason)
        }
        layers.append(layer)
        if format.hasFusedLayers {
            parts[layer.name] = layer.weights
        } else {
            let stem =
                format == .lycoris
                ? "lycoris_" + layer.name.replacing(".", with: "_") : "\(naming.component).\(layer.name)"
            try put(layer.weights, stem: stem, name: layer.name)
        }
    }

    /// The file's contents. Throws ``AdapterError/unwritable(format:reason:)`` when a layer has no name in the format.
    mutating func finish() throws -> ExportedAdapters {
        var metadata = ["format": "pt"]
        if format.hasFusedLayers { try putArranged() }
        switch format {
        case .peft, .diptych:
            if !peft.isEmpty {
                metadata[PEFTMetadata.headerKey] = try PEFTMetadata.header(
                    peft.map { ($0.name, $0.rank, $0.alpha) }, flag: try peftFlag(), naming: naming)
            }
        case .kohya:
            metadata["ss_network_module"] = "networks.lora_flux"
            metadata["ss_network_dim"] = "\(Self.mostCommon(peft.map(\.rank)) ?? 0)"
            metadata["ss_network_alpha"] = "\(Self.mostCommon(peft.map(\.alpha)) ?? 0)"
        case .comfyui, .lycoris, .icedit: break
        }
        for method in AdapterMethods.all {
            metadata.merge(try method.header(layers, in: format)) { _, new in new }
        }
        var notices: [String] = []
        let exchanged = naming.keyMappings.filter(\.swapsHalves).flatMap(\.parts).map(\.name)
        if !format.hasFusedLayers, format != .lycoris,
            let layer = peft.first(where: { exchanged.contains($0.name) })?.name
        {
            notices.append(
                "stable-diffusion.cpp takes the halves of '\(layer)' for each other in this layout; the layout 'comfyui' has "
                    + "them as its base does")
        }
        if let notice = narrowing.notice { notices.append(notice) }
        notices += AdapterMethods.all.flatMap { $0.notices(layers, in: format) }
        if format == .kohya, looseLayers > 0 {
            notices.append(
                "\(looseLayers) of the file's layers stand outside the blocks: diffusers and stable-diffusion.cpp leave those of "
                    + "kohya's files aside, ComfyUI reads them")
        }
        return ExportedAdapters(tensors: tensors, metadata: metadata, notices: notices)
    }

    /// The flag of PEFT's configuration for the file's method. PEFT has one method for all layers: layers of several are
    /// refused where it reads them, and without a flag elsewhere, where the tensors tell.
    private func peftFlag() throws -> String? {
        guard let first = peft.first, let other = peft.first(where: { $0.method != first.method }) else {
            return peft.first?.method.peftFlag
        }
        guard format == .peft else { return nil }
        throw AdapterError.unwritable(
            format: format,
            reason:
                "'\(first.name)' is \(first.method.title), '\(other.name)' \(other.method.title), and PEFT has one method "
                + "for all layers: \(AdapterMethods.holders(of: other.method, besides: format)) can")
    }

    /// Puts the layers under the names of the model's authors, those that these fuse in one.
    private mutating func putArranged() throws {
        for mapping in naming.keyMappings {
            let members = parts.filter { part in mapping.parts.contains { $0.name == part.key } }
            if members.isEmpty { continue }
            for name in members.keys { parts[name] = nil }
            if !mapping.isInBlock { looseLayers += 1 }
            // diffusers leaves the alphas of kohya's layers outside the blocks aside.
            let joined = try joined(members, mapping, folds: format == .kohya && !mapping.isInBlock)
            let stem =
                format == .kohya
                ? "lora_unet_" + mapping.source.replacing(".", with: "_") : "diffusion_model." + mapping.source
            try put(joined, stem: stem, name: mapping.source)
        }
        if let layer = parts.keys.sorted().first {
            throw AdapterError.unwritable(
                format: format,
                reason: "'\(layer)' has no name among the \(naming.keyMappings.count) layers of the layout"
            )
        }
    }

    /// One adapter for the layers of an mapping, which must be of one method.
    private func joined(
        _ members: [String: AdapterWeights], _ mapping: AdapterNaming.LayerMapping, folds: Bool
    ) throws -> AdapterWeights {
        let kinds = Dictionary(grouping: members.values.map { type(of: $0.method) }) { $0.name }
        guard kinds.count == 1, let kind = kinds.first?.value.first else {
            let titles = kinds.values.map { $0[0].title }.sorted().joined(separator: " and ")
            throw AdapterError.unwritable(
                format: format, reason: "'\(mapping.source)' joins layers with \(titles), which cannot be joined")
        }
        do {
            return try kind.joined(members, mapping: mapping, folds: folds)
        } catch AdapterError.unjoinable(let reason) {
            throw AdapterError.unwritable(format: format, reason: reason)
        }
    }

    private static func mostCommon<Value: Hashable & Comparable>(_ values: [Value]) -> Value? {
        Dictionary(grouping: values) { $0 }.max { ($0.value.count, $1.key) < ($1.value.count, $0.key) }?.key
    }

    /// Puts a layer's tensors behind `stem`; `name` is the layer's in the header.
    private mutating func put(_ weights: AdapterWeights, stem: String, name: String) throws {
        let encoded = weights.method.encoded(weights.tensors, as: format)
        for (role, tensor) in encoded.tensors {
            let key = "\(stem).\(format.hasKohyasNames ? role.kohyaEnding : role.ending)"
            tensors.append((key, try narrowing.convert(tensor, to: dtype, path: path, key: key)))
        }
        if let (rank, alpha) = encoded.peft { peft.append((name, rank, alpha, type(of: weights.method))) }
    }
}
