import Adapters

extension RunConfiguration {
    /// A weight-decomposed LoRA.
    public struct DoRA: Codable, Sendable, Equatable {
        /// Width of the bottleneck.
        public var rank = 32
        /// The update is scaled by `alpha / rank`.
        public var alpha = 32.0
        /// Patterns of module names.
        public var targets = LoRA().targets
        /// Creates the default.
        public init() {}
    }

    /// What the table's key paths run through; setting a key of an absent section adds the section.
    fileprivate var doraOrDefault: DoRA {
        get { adapter.dora ?? DoRA() }
        set { adapter.dora = newValue }
    }
}

extension AdapterSection {
    /// `adapter.dora`.
    static let dora = AdapterSection(
        fields: [
            .init("adapter.dora.rank", \.doraOrDefault.rank, .integer(1...4096), "Width of the bottleneck."),
            .init("adapter.dora.alpha", \.doraOrDefault.alpha, .positive, "The update is scaled by alpha / rank."),
            .init(
                "adapter.dora.targets", \.doraOrDefault.targets, .patterns,
                "Patterns of modules that get a DoRA, which goes before a LoRA.",
                peerNames: ["use_dora", "weight_decompose"]),
        ],
        section: OptionalSection(
            key: "adapter.dora",
            summary:
                "A LoRA with a trained magnitude for each output; absent unless it is given ({} for its defaults).",
            isPresent: { $0.adapter.dora != nil },
            setPresent: { $1.adapter.dora = $0 ? $1.adapter.dora ?? RunConfiguration.DoRA() : nil }),
        rule: { run in
            run.adapter.dora.map {
                AdapterRule(DoRAMethod(rank: $0.rank, alpha: Float($0.alpha)), targets: $0.targets)
            }
        })
}
