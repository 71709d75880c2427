/// What a tensor of an adapter is called behind its layer's name, in a run's parameters and in files.
public struct AdapterTensorName: Sendable {
    /// Among a run's parameters, and in the files of PEFT, diffusers and ICEdit: `lora_A.weight`.
    public let name: String
    /// In the files of kohya, LyCORIS, OneTrainer and ComfyUI: `lora_down.weight`.
    public let kohya: String
    /// Other spellings that are read, each with what stands before it: `_lora.down.weight`.
    public let others: [String]
    /// Whether files hold the tensor expert by expert, as `lora_A.expert_0.weight`.
    public let isPerExpert: Bool

    /// Names a tensor; in all files alike unless said otherwise.
    public init(_ name: String, kohya: String? = nil, others: [String] = [], isPerExpert: Bool = false) {
        self.name = name
        self.kohya = kohya ?? name
        self.others = others
        self.isPerExpert = isPerExpert
    }

    /// The spellings of the name itself: PEFT may put the adapter's name into it, and leaves `.weight` away for vectors.
    var spellings: [String] {
        let stem = name.hasSuffix(".weight") ? String(name.dropLast(".weight".count)) : name
        return [name, stem + ".default.weight"] + (stem == name ? [stem + ".weight", stem + ".default"] : [])
    }
}

/// What a tensor of a file is to its layer.
public struct AdapterRole: Hashable, Sendable {
    /// The tensor's ``AdapterTensorName/name``.
    public let name: String
    /// The expert that it belongs to, where a file holds the experts one by one.
    public let expert: Int?

    /// Names a role.
    public init(_ name: String, expert: Int? = nil) {
        self.name = name
        self.expert = expert
    }

    /// A scalar alpha beside the weights.
    public static let alpha = AdapterRole("alpha")

    /// The key's ending as diffusers, PEFT and ICEdit have it.
    var ending: String {
        guard let expert else { return name }
        return "\(name.prefix { $0 != "." }).expert_\(expert).weight"
    }

    /// The key's ending as kohya has it.
    var kohyaEnding: String {
        expert == nil ? AdapterKey.names[name]?.kohya ?? name : ending
    }
}
