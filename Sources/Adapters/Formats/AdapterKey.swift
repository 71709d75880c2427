import TensorIO

/// A key of an adapter file, taken apart: what stands for the layer, and what the tensor is to it.
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

        /// The key's ending as diffusers, PEFT and ICEdit have it.
        var ending: String {
            switch self {
            case .a(let expert): "lora_A.\(expert.map { "expert_\($0)." } ?? "")weight"
            case .b(let expert): "lora_B.\(expert.map { "expert_\($0)." } ?? "")weight"
            case .route: "lora_route.weight"
            case .pooledRoute: "lora_route_pooled.weight"
            case .alpha: "alpha"
            }
        }

        /// The key's ending as kohya has it.
        var kohyaEnding: String {
            switch self {
            case .a: "lora_down.weight"
            case .b: "lora_up.weight"
            default: ending
            }
        }
    }

    /// What stands before the ending: the layer's name in the file's own way.
    let stem: String
    /// The tensor's part.
    let role: Role

    /// Other trainers' names of the two ways.
    private static let endings: [(ending: String, role: Role)] = [
        (".lora_down.weight", .a(expert: nil)), (".lora_up.weight", .b(expert: nil)),
        (".lora.down.weight", .a(expert: nil)), (".lora.up.weight", .b(expert: nil)),
        ("_lora.down.weight", .a(expert: nil)), ("_lora.up.weight", .b(expert: nil)),
        (".lora_linear_layer.down.weight", .a(expert: nil)), (".lora_linear_layer.up.weight", .b(expert: nil)),
        (".alpha", .alpha),
    ]

    /// What other kinds of adapters have.
    private static let foreign: [(mark: String, what: String)] = [
        ("dora_scale", "a magnitude of DoRA"), ("lora_magnitude_vector", "a magnitude of DoRA"),
        ("lora_mid.weight", "a LoRA of a convolution in three parts"), (".hada_w", "a LoHa"), (".lokr_", "a LoKr"),
        (".oft_", "an OFT"), (".processor.", "a key of XLabs' layout"),
    ]

    /// Whether the key belongs to an adapter of a text encoder, as kohya's, OneTrainer's and diffusers' files hold them
    /// beside the transformer's.
    static func isOfTextEncoder(_ key: String) -> Bool {
        ["lora_te", "text_encoder", "base_model.model.text_encoder", "clip_l.", "t5."].contains(where: key.hasPrefix)
    }

    /// Takes `key` apart. Throws ``FileError`` when it belongs to no layout that is read here.
    init(_ key: String, path: String) throws {
        func fault(_ found: String) -> FileError {
            FileError(
                path, key: printable(key),
                expected: "'{layer}.lora_A.weight', 'lora_B', 'lora_down', 'lora_up', 'alpha', "
                    + "'lora_A.expert_0.weight' or 'lora_route'",
                found: found)
        }
        if let (_, what) = Self.foreign.first(where: { key.contains($0.mark) }) {
            throw fault("\(what), which is not supported")
        }
        if key.hasSuffix(".diff") || key.hasSuffix(".diff_b") {
            throw fault("a whole difference of weights, which is not supported")
        }
        if let (ending, role) = Self.endings.first(where: { key.hasSuffix($0.ending) }) {
            stem = String(key.dropLast(ending.count))
            self.role = role
            return
        }
        let parts = key.split(separator: ".", omittingEmptySubsequences: false)
        guard let end = parts.lastIndex(where: { $0.hasPrefix("lora_") }) else { throw fault("another ending") }
        stem = parts[..<end].joined(separator: ".")
        var words = parts[end...]
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
