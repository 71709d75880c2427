import TensorIO

/// A key of the diffusers, PEFT and ICEdit layouts, taken apart.
struct AdapterKey: Equatable {
    /// What a tensor is to its layer.
    enum Role: Hashable {
        /// The way down, of the layer or of one expert.
        case a(expert: Int?)
        /// The way up, of the layer or of one expert.
        case b(expert: Int?)
        /// The router's part for the token, and for the pooled text.
        case route, pooledRoute
        /// A scalar alpha beside the weights.
        case alpha

        /// The key's ending.
        var ending: String {
            switch self {
            case .a(let expert): "lora_A.\(expert.map { "expert_\($0)." } ?? "")weight"
            case .b(let expert): "lora_B.\(expert.map { "expert_\($0)." } ?? "")weight"
            case .route: "lora_route.weight"
            case .pooledRoute: "lora_route_pooled.weight"
            case .alpha: "alpha"
            }
        }
    }

    /// The full name of the layer.
    let layer: String
    /// The tensor's part.
    let role: Role

    /// Takes `key` apart. Throws ``FileError`` when it belongs to no layout that is read here.
    init(_ key: String, naming: AdapterNaming, path: String) throws {
        let name = naming.stripped(key)
        func fault(_ found: String) -> FileError {
            FileError(
                path, key: key, expected: "'{layer}.lora_A.weight', 'lora_B', 'lora_A.expert_0.weight' or 'lora_route'",
                found: found)
        }
        if name.hasPrefix("lora_unet_") || name.contains(".lora_down.") || name.contains(".lora_up.") {
            throw fault("a key of kohya's layout")
        }
        if name.hasPrefix("diffusion_model.") { throw fault("a key of ComfyUI's layout") }
        if name.hasPrefix("text_encoder") { throw fault("an adapter of a text encoder") }
        if name.hasSuffix(".alpha") {
            layer = String(name.dropLast(".alpha".count))
            role = .alpha
            return
        }
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        guard let end = parts.lastIndex(where: { $0.hasPrefix("lora_") }) else { throw fault("another ending") }
        layer = parts[..<end].joined(separator: ".")
        var words = parts[end...]
        if words.contains("lora_magnitude_vector") { throw fault("a magnitude of DoRA, which is not supported") }
        if words.last == "bias" { throw fault("a bias of a LoRA, which is not supported") }
        guard words.popLast() == "weight", let kind = words.first else { throw fault("another ending") }
        // PEFT's name for the adapter, where a file still has it.
        if words.last == "default" { words.removeLast() }
        let detail = words.dropFirst()
        switch (kind, detail.count) {
        case ("lora_A", 0): role = .a(expert: nil)
        case ("lora_B", 0): role = .b(expert: nil)
        case ("lora_route", 0): role = .route
        case ("lora_route_pooled", 0): role = .pooledRoute
        case ("lora_A", 1), ("lora_B", 1):
            guard let word = detail.first, word.hasPrefix("expert_"), let expert = Int(word.dropFirst("expert_".count)),
                0..<4096 ~= expert, word == "expert_\(expert)"
            else { throw fault("'\(detail.joined())' for an expert") }
            role = kind == "lora_A" ? .a(expert: expert) : .b(expert: expert)
        default: throw fault("another ending")
        }
    }
}
