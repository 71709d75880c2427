import TensorCore

/// Collects the tensors and the header of an adapter file.
struct AdapterWriter {
    let format: AdapterFormat
    let naming: AdapterNaming
    let dtype: DType
    private var tensors: [(name: String, tensor: Tensor)] = []
    private var loras: [(name: String, rank: Int, alpha: Float)] = []
    private var routings: [String: RoutingMetadata] = [:]

    init(format: AdapterFormat, naming: AdapterNaming, dtype: DType) {
        self.format = format
        self.naming = naming
        self.dtype = dtype
    }

    /// Adds one layer. Throws ``AdapterError/unwritable(format:reason:)`` when the layout cannot hold it.
    mutating func add(_ layer: String, _ weights: AdapterWeights) throws {
        switch weights {
        case .lora(let a, let b, let alpha):
            let rank = a.shape[0]
            put(layer, .a(expert: nil), a)
            put(layer, .b(expert: nil), scaled(b, alpha / Float(rank)))
            loras.append((layer, rank, format == .icedit ? Float(rank) : alpha))
        case .mixture(let a, let b, let route, let pooledRoute, let alpha, let options):
            if format == .peft {
                throw AdapterError.unwritable(
                    format: format, reason: "'\(layer)' is a mixture of experts, which PEFT cannot hold: use 'icedit'")
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
            for (expert, part) in a.split(into: experts, axis: 0).enumerated() { put(layer, .a(expert: expert), part) }
            for (expert, part) in scaled(b, alpha / Float(rank)).split(into: experts, axis: 1).enumerated() {
                put(layer, .b(expert: expert), part)
            }
            put(layer, .route, route)
            if let pooledRoute { put(layer, .pooledRoute, pooledRoute) }
            routings[layer] = RoutingMetadata(
                experts: experts, alpha: format == .icedit ? Float(rank) : alpha, options: options)
        }
    }

    /// The file's contents.
    func finish() throws -> ExportedAdapters {
        var metadata = ["format": "pt"]
        if format != .icedit, !loras.isEmpty {
            metadata[PEFTMetadata.headerKey] = try PEFTMetadata.header(loras, naming: naming)
        }
        if !routings.isEmpty { metadata[RoutingMetadata.headerKey] = try RoutingMetadata.header(routings) }
        var notices: [String] = []
        let foreign = routings.values.filter { $0.options != .upstream }
        if format == .icedit, let example = foreign.first {
            notices.append(
                "\(foreign.count) mixtures were trained with gate \(example.gate.rawValue) and top-\(example.topK); ICEdit's "
                    + "own programs run every mixture with softmaxAfterTopK and top-1, so that their output will differ"
            )
        }
        return ExportedAdapters(tensors: tensors, metadata: metadata, notices: notices)
    }

    private mutating func put(_ layer: String, _ role: AdapterKey.Role, _ tensor: Tensor) {
        tensors.append(("\(naming.component).\(layer).\(role.ending)", tensor.converted(to: dtype)))
    }

    /// ICEdit's programs know no alpha: the scale goes into the weights.
    private func scaled(_ b: Tensor, _ scale: Float) -> Tensor { format == .icedit && scale != 1 ? b * scale : b }
}
