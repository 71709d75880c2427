public import Adapters

extension RunConfiguration {
    /// A mixture of LoRA experts.
    public struct MoE: Codable, Sendable, Equatable {
        /// Width of each expert's bottleneck.
        public var rank = 32
        /// Each expert's update is scaled by `alpha / rank`.
        public var alpha = 32.0
        /// Experts per module.
        public var experts = 4
        /// Experts that a token is sent to.
        public var topK = 1
        /// Patterns of module names.
        public var targets = AdapterConfiguration.iceditMixtureTargets
        /// Where the softmax stands.
        public var gate = RouterGate.softmaxBeforeTopK
        /// Whether the chosen experts' probabilities are scaled to sum to one.
        public var renormalize = false
        /// What the router sees.
        public var routerInput = RouterInput.token
        /// Weight of the load-balancing loss.
        public var loadBalanceWeight = 1e-2
        /// Weight of the router's z-loss.
        public var routerZWeight = 1e-3
        /// Creates the default.
        public init() {}
    }

    /// What the table's key paths run through; setting a key of an absent section adds the section.
    fileprivate var moeOrDefault: MoE {
        get { adapter.moe ?? MoE() }
        set { adapter.moe = newValue }
    }
}

extension AdapterSection {
    /// `adapter.moe`.
    static let moe = AdapterSection(
        fields: [
            .init("adapter.moe.rank", \.moeOrDefault.rank, .integer(1...4096), "Width of each expert's bottleneck."),
            .init(
                "adapter.moe.alpha", \.moeOrDefault.alpha, .positive, "Each expert's update is scaled by alpha / rank."),
            .init(
                "adapter.moe.experts", \.moeOrDefault.experts, .integer(1...256), "Experts in each module.",
                peerNames: ["num_experts"]),
            .init(
                "adapter.moe.top_k", \.moeOrDefault.topK, .integer(1...), "Experts that each token is sent to.",
                peerNames: ["num_experts_per_tok"]),
            .init(
                "adapter.moe.targets", \.moeOrDefault.targets, .patterns,
                "Patterns of modules that get a mixture, which goes before a LoRA."),
            .init(
                "adapter.moe.gate", \.moeOrDefault.gate, .choice { $0.settingName },
                "Softmax over all experts (trains the router) or over the chosen ones (the released weights)."),
            .init(
                "adapter.moe.renormalize", \.moeOrDefault.renormalize, .boolean,
                "Scale the chosen experts' probabilities to sum to one.", peerNames: ["norm_topk_prob"]),
            .init(
                "adapter.moe.router_input", \.moeOrDefault.routerInput, .choice { $0.settingName },
                "What the router sees."),
            .init(
                "adapter.moe.load_balance_weight", \.moeOrDefault.loadBalanceWeight, .notNegative,
                "Weight of the load-balancing loss.", peerNames: ["router_aux_loss_coef"]),
            .init(
                "adapter.moe.router_z_weight", \.moeOrDefault.routerZWeight, .notNegative,
                "Weight of the router's z-loss.",
                peerNames: ["router_z_loss_coef"]),
        ],
        section: OptionalSection(
            key: "adapter.moe", summary: "A mixture of LoRA experts; absent unless it is given ({} for its defaults).",
            isPresent: { $0.adapter.moe != nil },
            setPresent: { $1.adapter.moe = $0 ? $1.adapter.moe ?? RunConfiguration.MoE() : nil }),
        rule: { run in
            run.adapter.moe.map { moe in
                let routing = RoutingOptions(
                    topK: moe.topK, gate: moe.gate, renormalizesWeights: moe.renormalize,
                    input: moe.routerInput)
                return AdapterRule(
                    LoRAMoEMethod(
                        rank: moe.rank, alpha: Float(moe.alpha), experts: moe.experts, routing: routing),
                    targets: moe.targets)
            }
        },
        faults: { run in
            guard let moe = run.adapter.moe, moe.topK > moe.experts else { return [] }
            return [("adapter.moe.top_k", "at most adapter.moe.experts (\(moe.experts))", "\(moe.topK)")]
        })
}
