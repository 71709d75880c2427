import Adapters

extension RunConfiguration {
    /// A Kronecker product of two matrices.
    public struct LoKr: Codable, Sendable, Equatable {
        /// Rank of the larger matrix.
        public var rank = 32
        /// The update is scaled by `alpha / rank`, unless both matrices are whole.
        public var alpha = 32.0
        /// About how many rows and columns the smaller matrix has; -1 is as near to the square root as can be.
        public var factor = 16
        /// Whether the smaller matrix is of low rank too.
        public var decomposeBoth = false
        /// Whether the larger matrix is whole.
        public var fullMatrix = false
        /// Patterns of module names.
        public var targets = LoRA().targets
        /// Creates the default.
        public init() {}
    }

    /// What the table's key paths run through; setting a key of an absent section adds the section.
    fileprivate var lokrOrDefault: LoKr {
        get { adapter.lokr ?? LoKr() }
        set { adapter.lokr = newValue }
    }
}

extension AdapterSection {
    /// `adapter.lokr`.
    static let lokr = AdapterSection(
        fields: [
            .init("adapter.lokr.rank", \.lokrOrDefault.rank, .integer(1...4096), "Rank of the larger matrix."),
            .init(
                "adapter.lokr.alpha", \.lokrOrDefault.alpha, .positive,
                "The update is scaled by alpha / rank, unless both matrices are whole."),
            .init(
                "adapter.lokr.factor", \.lokrOrDefault.factor, .integer(-1...65536),
                "About how many rows and columns the smaller matrix has; -1: as near to the square root as can be.",
                peerNames: ["lokr_factor"]),
            .init(
                "adapter.lokr.decompose_both", \.lokrOrDefault.decomposeBoth, .boolean,
                "Make the smaller matrix one of low rank too."),
            .init(
                "adapter.lokr.full_matrix", \.lokrOrDefault.fullMatrix, .boolean,
                "Keep the larger matrix whole, whatever the rank.", peerNames: ["lokr_full_rank"]),
            .init(
                "adapter.lokr.targets", \.lokrOrDefault.targets, .patterns,
                "Patterns of modules that get a LoKr, which goes before a LoRA and a DoRA."),
        ],
        section: OptionalSection(
            key: "adapter.lokr",
            summary: "A Kronecker product of two matrices; absent unless it is given ({} for its defaults).",
            isPresent: { $0.adapter.lokr != nil },
            setPresent: { $1.adapter.lokr = $0 ? $1.adapter.lokr ?? RunConfiguration.LoKr() : nil }),
        rule: { run in
            run.adapter.lokr.map {
                AdapterRule(
                    LoKrMethod(
                        rank: $0.rank, alpha: Float($0.alpha), factor: $0.factor, decomposesBoth: $0.decomposeBoth,
                        fullMatrix: $0.fullMatrix), targets: $0.targets)
            }
        },
        faults: { run in
            guard let lokr = run.adapter.lokr, lokr.factor == 0 else { return [] }
            return [("adapter.lokr.factor", "-1 or at least 1", "0")]
        })
}
