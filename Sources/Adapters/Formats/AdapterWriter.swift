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
    private var loras: [(name: String, rank: Int, alpha: Float)] = []
    private var routings: [String: RoutingMetadata] = [:]
    /// What is put under the names of the model's authors when all layers are known.
    private var parts: [String: (a: Tensor, b: Tensor, alpha: Float)] = [:]
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

    /// Adds one layer. Throws ``AdapterError/unwritable(format:reason:)`` when the layout cannot hold it, and ``FileError``
    /// when a number is too large for the type.
    mutating func add(_ layer: String, _ weights: AdapterWeights) throws {
        switch weights {
        case .lora(let a, let b, let alpha):
            if format.hasFusedLayers {
                parts[layer] = (a, b, alpha)
                return
            }
            let rank = a.shape[0]
            try put(layer, .a(expert: nil), a)
            try put(layer, .b(expert: nil), scaled(b, alpha / Float(rank)))
            loras.append((layer, rank, format == .icedit ? Float(rank) : alpha))
        case .mixture(let a, let b, let route, let pooledRoute, let alpha, let options):
            guard format.holdsMixtures else {
                let holders = AdapterFormat.allCases.filter(\.holdsMixtures).map { "'\($0.rawValue)'" }
                throw AdapterError.unwritable(
                    format: format,
                    reason: "'\(layer)' is a mixture of experts, which \(format.program) cannot hold: "
                        + holders.joined(separator: " and ") + " can, and diptych static makes a plain LoRA of it")
            }
            if format == .icedit, pooledRoute != nil {
                throw AdapterError.unwritable(
                    format: format,
                    reason:
                        "the router of '\(layer)' sees the pooled text, which ICEdit's own programs cannot run: use "
                        + "'diptych'")
            }
            let experts = route.shape[0]
            let rank = a.shape[0] / experts
            for (expert, part) in a.split(into: experts, axis: 0).enumerated() {
                try put(layer, .a(expert: expert), part)
            }
            for (expert, part) in scaled(b, alpha / Float(rank)).split(into: experts, axis: 1).enumerated() {
                try put(layer, .b(expert: expert), part)
            }
            try put(layer, .route, route)
            if let pooledRoute { try put(layer, .pooledRoute, pooledRoute) }
            routings[layer] = RoutingMetadata(
                experts: experts, alpha: format == .icedit ? Float(rank) : alpha, options: options)
        }
    }

    /// The file's contents. Throws ``AdapterError/unwritable(format:reason:)`` when a layer has no name in the layout.
    mutating func finish() throws -> ExportedAdapters {
        var metadata = ["format": "pt"]
        if format.hasFusedLayers { try putArranged() }
        switch format {
        case .peft, .diptych:
            if !loras.isEmpty { metadata[PEFTMetadata.headerKey] = try PEFTMetadata.header(loras, naming: naming) }
        case .kohya:
            metadata["ss_network_module"] = "networks.lora_flux"
            metadata["ss_network_dim"] = "\(Self.mostCommon(loras.map(\.rank)) ?? 0)"
            metadata["ss_network_alpha"] = "\(Self.mostCommon(loras.map(\.alpha)) ?? 0)"
        case .comfyui, .icedit: break
        }
        if !routings.isEmpty { metadata[RoutingMetadata.headerKey] = try RoutingMetadata.header(routings) }
        var notices: [String] = []
        let exchanged = naming.arrangements.filter(\.swapsHalves).flatMap(\.parts).map(\.name)
        if !format.hasFusedLayers, let layer = loras.first(where: { exchanged.contains($0.name) })?.name {
            notices.append(
                "stable-diffusion.cpp takes the halves of '\(layer)' for each other in this layout; the layout 'comfyui' has "
                    + "them as its base does")
        }
        if let notice = narrowing.notice { notices.append(notice) }
        let foreign = routings.values.filter { $0.options != .upstream }
        if format == .icedit, let example = foreign.first {
            notices.append(
                "\(foreign.count) mixtures were trained with gate \(example.gate.settingName) and top-\(example.topK); ICEdit's "
                    + "own programs run every mixture with softmax_after_top_k and top-1, so that their output will differ"
            )
        }
        if format == .kohya, looseLayers > 0 {
            notices.append(
                "\(looseLayers) of the file's layers stand outside the blocks: diffusers and stable-diffusion.cpp leave those of "
                    + "kohya's files aside, ComfyUI reads them")
        }
        return ExportedAdapters(tensors: tensors, metadata: metadata, notices: notices)
    }

    /// Puts the layers under the names of the model's authors, those that these fuse in one.
    private mutating func putArranged() throws {
        for arrangement in naming.arrangements {
            let members = parts.filter { part in arrangement.parts.contains { $0.name == part.key } }
            if members.isEmpty { continue }
            for name in members.keys { parts[name] = nil }
            if !arrangement.isInBlock { looseLayers += 1 }
            // diffusers leaves the alphas of kohya's layers outside the blocks aside.
            let fused = FusedLoRA(members, arrangement: arrangement, folds: format == .kohya && !arrangement.isInBlock)
            let stem =
                format == .kohya
                ? "lora_unet_" + arrangement.source.replacing(".", with: "_") : "diffusion_model." + arrangement.source
            for (role, tensor) in [
                (AdapterKey.Role.a(expert: nil), fused.a), (.b(expert: nil), fused.b), (.alpha, Tensor(fused.alpha)),
            ] {
                try append("\(stem).\(format == .kohya ? role.kohyaEnding : role.ending)", tensor)
            }
            loras.append((arrangement.source, fused.a.shape[0], fused.alpha))
        }
        if let layer = parts.keys.sorted().first {
            throw AdapterError.unwritable(
                format: format,
                reason: "'\(layer)' has no name among the \(naming.arrangements.count) layers of the layout"
            )
        }
    }

    private static func mostCommon<Value: Hashable & Comparable>(_ values: [Value]) -> Value? {
        Dictionary(grouping: values) { $0 }.max { ($0.value.count, $1.key) < ($1.value.count, $0.key) }?.key
    }

    private mutating func put(_ layer: String, _ role: AdapterKey.Role, _ tensor: Tensor) throws {
        try append("\(naming.component).\(layer).\(role.ending)", tensor)
    }

    private mutating func append(_ key: String, _ tensor: Tensor) throws {
        tensors.append((key, try narrowing.convert(tensor, to: dtype, path: path, key: key)))
    }

    /// ICEdit's programs know no alpha: the scale goes into the weights.
    private func scaled(_ b: Tensor, _ scale: Float) -> Tensor { format == .icedit && scale != 1 ? b * scale : b }
}
