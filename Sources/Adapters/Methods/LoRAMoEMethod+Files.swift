public import TensorCore
import TensorIO

/// A mixture in files: expert by expert, with a note in the header of what ICEdit's format leaves unsaid.
extension LoRAMoEMethod {
    private static let route = AdapterRole(routeName.name)
    private static let pooledRoute = AdapterRole(pooledRouteName.name)

    /// Whether a layer with these tensors has such an adapter.
    public static func claims(_ roles: Set<AdapterRole>, peftFlags: Set<String>) -> Bool {
        roles.contains { $0.expert != nil || $0 == route || $0 == pooledRoute }
    }

    /// The weights of a layer in a file. Throws `FileError`.
    public static func read(_ layer: AdapterLayerReader) throws -> AdapterWeights {
        guard layer.place.isPlain else {
            throw FileError(
                layer.path, key: layer.keys.values.sorted()[0],
                expected: "a plain LoRA for a layer that the model keeps in parts", found: title)
        }
        guard let experts = try countExperts(layer) else {
            let key = layer.keys[route] ?? layer.keys[pooledRoute]
            throw FileError(layer.path, key: key, expected: "experts for the router", found: "a plain LoRA")
        }
        var tensors = [routeName.name: try layer.incoming(route, rows: experts)]
        let options = try options(layer, experts: experts)
        if options.input == .tokenAndPooledText {
            guard let width = layer.pooledWidth else { throw AdapterError.unknownPooledWidth }
            tensors[pooledRouteName.name] = try layer.matrix(pooledRoute, rows: experts, columns: width)
        }
        var (down, up): ([Tensor], [Tensor]) = ([], [])
        for expert in 0..<experts {
            down.append(
                try layer.incoming(AdapterRole(LowRank.downName.name, expert: expert), rows: down.first?.shape[0]))
            up.append(
                try layer.matrix(
                    AdapterRole(LowRank.upName.name, expert: expert), rows: layer.place.outputs,
                    columns: down[0].shape[0]))
        }
        tensors[LowRank.downName.name] = Tensor.concatenated(down, axis: 0)
        tensors[LowRank.upName.name] = Tensor.concatenated(up, axis: 1)
        let rank = down[0].shape[0]
        let alpha = try note(layer)?.alpha ?? layer.alpha(rank: rank)
        return AdapterWeights(LoRAMoEMethod(rank: rank, alpha: alpha, experts: experts, routing: options), tensors)
    }

    /// What this toolkit noted of the layer's mixture.
    private static func note(_ layer: AdapterLayerReader) -> RoutingMetadata? {
        layer.header.routings[layer.place.parts[0].name]
    }

    /// The number of experts, nil for a plain LoRA; each number from 0 on must be there.
    private static func countExperts(_ layer: AdapterLayerReader) throws -> Int? {
        let (keys, path) = (layer.keys, layer.path)
        let numbers = Set(keys.keys.compactMap(\.expert))
        guard let last = numbers.max() else { return nil }
        if let key = keys[AdapterRole(LowRank.downName.name)] ?? keys[AdapterRole(LowRank.upName.name)] {
            throw FileError(path, key: key, expected: "experts or a plain LoRA", found: "both")
        }
        if numbers.count != last + 1 {
            let missing = (0..<last).first { !numbers.contains($0) } ?? 0
            throw FileError(
                path, key: layer.key(AdapterRole(LowRank.downName.name, expert: missing)),
                expected: "experts numbered from 0 without gaps",
                found: "expert \(last) but not expert \(missing)")
        }
        if let found = note(layer)?.experts, found != last + 1 {
            throw FileError(
                path, key: "\(RoutingMetadata.headerKey), \(layer.layer)",
                expected: "\(last + 1) experts as in the tensors", found: "\(found)")
        }
        return last + 1
    }

    private static func options(_ layer: AdapterLayerReader, experts: Int) throws -> RoutingOptions {
        let seen: RouterInput = layer.keys[pooledRoute] == nil ? .token : .tokenAndPooledText
        let noted = note(layer)
        var options = layer.routing ?? noted?.options ?? .upstream
        // Without a word in the file the tensors speak.
        if layer.routing == nil, noted == nil { options.input = seen }
        guard options.input == seen else {
            throw FileError(
                layer.path, key: layer.key(pooledRoute), expected: "routers that see '\(options.input.rawValue)'",
                found: seen == .token ? "no such tensor" : "a part for the pooled text")
        }
        guard options.topK >= 1, options.topK <= experts else {
            throw FileError(
                layer.path, key: layer.layer, expected: "topK between 1 and the number of experts, \(experts)",
                found: "\(options.topK)")
        }
        return options
    }

    /// Each note must be of a layer with a router.
    public static func check(_ header: AdapterHeader, layers: [AdapterLayerReader]) throws {
        let stray = header.routings.keys.sorted().first { name in
            !layers.contains { $0.place.isPlain && $0.place.parts[0].name == name && $0.keys[route] != nil }
        }
        guard let stray, let path = layers.first?.path else { return }
        throw FileError(
            path, key: RoutingMetadata.headerKey, expected: "layers with '\(route.ending)'", found: "'\(stray)'",
            nearest: nearestName(to: stray, among: layers.map(\.place.parts[0].name)))
    }

    /// The weights of the model's layers that a file keeps as one.
    public static func split(
        _ weights: AdapterWeights, at place: AdapterPlace, reader: AdapterLayerReader
    ) -> [AdaptedLayer] {
        [AdaptedLayer(name: place.parts[0].name, weights: weights)]
    }

    // MARK: Writing

    /// Why a format that holds the method cannot hold these weights.
    public func refusal(of format: AdapterFormat, layer: String) -> String? {
        guard format == .icedit, needsPooledText else { return nil }
        return "the router of '\(layer)' sees the pooled text, which ICEdit's own programs cannot run: use 'diptych'"
    }

    /// What a file of the format holds.
    public func encoded(_ tensors: [String: Tensor], as format: AdapterFormat) -> EncodedAdapter {
        let lora = LowRank(tensors, alpha: alpha)
        let scale = alpha / Float(rank)
        let up = format.foldsScales && scale != 1 ? lora.b * scale : lora.b
        var parts: [(role: AdapterRole, tensor: Tensor)] = []
        for (name, experts) in [
            (LowRank.downName.name, lora.a.split(into: experts, axis: 0)),
            (LowRank.upName.name, up.split(into: experts, axis: 1)),
        ] {
            parts += experts.enumerated().map { (AdapterRole(name, expert: $0.offset), $0.element) }
        }
        parts.append((Self.route, tensors[Self.routeName.name]!))
        if let pooled = tensors[Self.pooledRouteName.name] { parts.append((Self.pooledRoute, pooled)) }
        return EncodedAdapter(parts)
    }

    /// The header's entries.
    public static func header(_ layers: [AdaptedLayer], in format: AdapterFormat) throws -> [String: String] {
        let notes = notes(layers, in: format)
        return notes.isEmpty ? [:] : [RoutingMetadata.headerKey: try RoutingMetadata.header(notes)]
    }

    private static func notes(_ layers: [AdaptedLayer], in format: AdapterFormat) -> [String: RoutingMetadata] {
        var notes: [String: RoutingMetadata] = [:]
        for layer in layers {
            guard let method = layer.weights.method as? LoRAMoEMethod else { continue }
            notes[layer.name] = RoutingMetadata(
                experts: method.experts, alpha: format.foldsScales ? Float(method.rank) : method.alpha,
                options: method.routing)
        }
        return notes
    }

    /// What readers of the format should know.
    public static func notices(_ layers: [AdaptedLayer], in format: AdapterFormat) -> [String] {
        let foreign = layers.compactMap { ($0.weights.method as? LoRAMoEMethod)?.routing }.filter { $0 != .upstream }
        guard format == .icedit, let example = foreign.first else { return [] }
        return [
            "\(foreign.count) mixtures were trained with gate \(example.gate.settingName) and top-\(example.topK); ICEdit's "
                + "own programs run every mixture with softmax_after_top_k and top-1, so that their output will differ"
        ]
    }
}
