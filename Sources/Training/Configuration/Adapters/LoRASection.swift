import Adapters

extension RunConfiguration {
    /// An ordinary LoRA.
    public struct LoRA: Codable, Sendable, Equatable {
        /// Width of the bottleneck.
        public var rank = 32
        /// The update is scaled by `alpha / rank`.
        public var alpha = 32.0
        /// Patterns of module names; a module that the mixture's patterns match too gets the mixture.
        public var targets = AdapterConfiguration.iceditTargets
        /// Creates the default.
        public init() {}
    }

    /// What the table's key paths run through; setting a key of an absent section adds the section.
    fileprivate var loraOrDefault: LoRA {
        get { adapter.lora ?? LoRA() }
        set { adapter.lora = newValue }
    }
}

extension AdapterSection {
    /// `adapter.lora`.
    static let lora = AdapterSection(
        fields: [
            .init(
                "adapter.lora.rank", \.loraOrDefault.rank, .integer(1...4096), "Width of the bottleneck.",
                peerNames: ["network_dim", "linear", "r"]),
            .init(
                "adapter.lora.alpha", \.loraOrDefault.alpha, .positive, "The update is scaled by alpha / rank.",
                peerNames: ["network_alpha", "linear_alpha", "lora_alpha"]),
            .init(
                "adapter.lora.targets", \.loraOrDefault.targets, .patterns,
                "Patterns of modules that get a LoRA: * is any run of characters, /.../ a regular expression.",
                peerNames: ["target_modules"]),
        ],
        section: OptionalSection(
            key: "adapter.lora", summary: "An ordinary LoRA; present unless it is null.",
            isPresent: { $0.adapter.lora != nil },
            setPresent: { $1.adapter.lora = $0 ? $1.adapter.lora ?? RunConfiguration.LoRA() : nil }),
        rule: { run in
            run.adapter.lora.map {
                AdapterRule(LoRAMethod(rank: $0.rank, alpha: Float($0.alpha)), targets: $0.targets)
            }
        })
}
