/// What is trained beside a frozen model: which layers get a LoRA, which a mixture of LoRA experts, and how large.
///
/// Targets are patterns over the full names of the model's linear layers (``LayerPattern``). A layer that both lists
/// match gets the mixture, as in the released ICEdit weights, whose LoRA targets name the mixture's layers too.
///
/// ```swift
/// var configuration = AdapterConfiguration.iceditMoE
/// configuration.moeTargets = ["transformer_blocks.*.attn.to_out.0"]  // the paper's placement
/// let adapters = try AdapterSet(injecting: configuration, into: transformer, seed: 42)
/// ```
public struct AdapterConfiguration: Codable, Sendable, Equatable {
    /// The rank r of a plain LoRA.
    public var loraRank: Int
    /// A plain LoRA is scaled by `loraAlpha / loraRank`.
    public var loraAlpha: Float
    /// The layers that get a plain LoRA.
    public var loraTargets: [String]
    /// The rank r of each expert.
    public var moeRank: Int
    /// The experts are scaled by `moeAlpha / moeRank`.
    public var moeAlpha: Float
    /// The number N of experts.
    public var experts: Int
    /// How many experts work on each token.
    public var topK: Int
    /// The layers that get a mixture of LoRA experts.
    public var moeTargets: [String]
    /// How the chosen experts' weights come from the router's logits.
    public var gate: RouterGate
    /// Whether the chosen experts' weights are divided by their sum. With `softmaxAfterTopK` they sum to 1 anyway. With
    /// one chosen expert the weight is then always 1, and the router learns from the balancing loss alone.
    public var renormalizesWeights: Bool
    /// What the router sees.
    public var routerInput: RouterInput

    /// Collects the settings; the defaults are sizes of the released ICEdit weights and no targets.
    public init(
        loraRank: Int = 32, loraAlpha: Float = 32, loraTargets: [String] = [], moeRank: Int = 32, moeAlpha: Float = 32,
        experts: Int = 4, topK: Int = 1, moeTargets: [String] = [], gate: RouterGate = .softmaxBeforeTopK,
        renormalizesWeights: Bool = false, routerInput: RouterInput = .token
    ) {
        self.loraRank = loraRank
        self.loraAlpha = loraAlpha
        self.loraTargets = loraTargets
        self.moeRank = moeRank
        self.moeAlpha = moeAlpha
        self.experts = experts
        self.topK = topK
        self.moeTargets = moeTargets
        self.gate = gate
        self.renormalizesWeights = renormalizesWeights
        self.routerInput = routerInput
    }

    /// Upstream's LoRA targets, in the names that diffusers gives the layers of FLUX.
    private static let upstreamTargets =
        ["x_embedder"]
        + ["norm1.linear", "attn.to_q", "attn.to_k", "attn.to_v", "attn.to_out.0", "ff.net.2"].map {
            "transformer_blocks.*." + $0
        }
        + ["norm.linear", "proj_mlp", "proj_out", "attn.to_q", "attn.to_k", "attn.to_v"].map {
            "single_transformer_blocks.*." + $0
        }

    /// The placement of the released ICEdit LoRA-MoE weights: four experts of rank 32 at the end of each block's MLP,
    /// LoRAs of rank 32 elsewhere (arXiv 2504.20690).
    public static let iceditMoE = AdapterConfiguration(
        loraTargets: upstreamTargets,
        moeTargets: ["transformer_blocks.*.ff.net.2", "single_transformer_blocks.*.proj_out"])

    /// The same layers with a plain LoRA of rank 32 each.
    public static let iceditLoRA = AdapterConfiguration(loraTargets: upstreamTargets)

    /// Everything that is wrong with the settings, one sentence each; empty when they can be used.
    public var faults: [String] {
        var faults: [String] = []
        if loraTargets.isEmpty && moeTargets.isEmpty {
            faults.append("loraTargets and moeTargets: expected at least one pattern, found none")
        }
        for (name, rank, alpha, targets) in [
            ("lora", loraRank, loraAlpha, loraTargets), ("moe", moeRank, moeAlpha, moeTargets),
        ] where !targets.isEmpty {
            if rank < 1 { faults.append("\(name)Rank: expected at least 1, found \(rank)") }
            if !(alpha.isFinite && alpha > 0) {
                faults.append("\(name)Alpha: expected a number above 0, found \(alpha)")
            }
            for (place, target) in targets.enumerated() {
                if targets[..<place].contains(target) {
                    faults.append("\(name)Targets: expected each pattern once, found '\(target)' twice")
                }
                do { _ = try LayerPattern(target) } catch { faults.append("\(name)Targets: \(error)") }
            }
        }
        if !moeTargets.isEmpty {
            if experts < 1 { faults.append("experts: expected at least 1, found \(experts)") }
            if topK < 1 { faults.append("topK: expected at least 1, found \(topK)") }
            if experts >= 1, topK > experts {
                faults.append("topK: expected at most the number of experts, \(experts), found \(topK)")
            }
        }
        return faults
    }

    /// Throws ``AdapterError/configuration(_:)`` with all ``faults`` when there are any.
    public func validate() throws {
        let faults = self.faults
        if !faults.isEmpty { throw AdapterError.configuration(faults) }
    }

    /// The router's part of the settings.
    var routing: RoutingOptions {
        RoutingOptions(topK: topK, gate: gate, renormalizesWeights: renormalizesWeights, input: routerInput)
    }
}
