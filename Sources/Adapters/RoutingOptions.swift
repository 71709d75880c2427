/// How the weights of the chosen experts come from the router's logits.
public enum RouterGate: String, Codable, Sendable, CaseIterable {
    /// Softmax over all experts, of which the k largest are kept (Switch Transformer, MixLoRA): the router learns from
    /// the loss.
    case softmaxBeforeTopK
    /// Softmax over the k largest logits, as ICEdit's released code does. With k = 1 the weight is always 1, so that no
    /// gradient of the loss reaches the router.
    case softmaxAfterTopK
}

extension RouterGate {
    /// The word that configurations have for it: `softmax_before_top_k`.
    public var settingName: String { rawValue.inSnakeCase }
}

extension RouterInput {
    /// The word that configurations have for it: `token_and_pooled_text`.
    public var settingName: String { rawValue.inSnakeCase }
}

extension String {
    fileprivate var inSnakeCase: String {
        reduce(into: "") { $0 += $1.isUppercase ? "_" + $1.lowercased() : String($1) }
    }
}

/// What a router sees.
public enum RouterInput: String, Codable, Sendable, CaseIterable {
    /// The token's activations, as in ICEdit's released weights.
    case token
    /// The token's activations and the pooled embedding of the instruction.
    case tokenAndPooledText
}

/// Everything about a mixture's routing that its weights do not say.
public struct RoutingOptions: Codable, Sendable, Equatable {
    /// How many experts work on each token.
    public var topK: Int
    /// How the chosen experts' weights come from the logits.
    public var gate: RouterGate
    /// Whether the chosen experts' weights are divided by their sum.
    public var renormalizesWeights: Bool
    /// What the router sees.
    public var input: RouterInput

    /// Collects the options.
    public init(
        topK: Int = 1, gate: RouterGate = .softmaxBeforeTopK, renormalizesWeights: Bool = false,
        input: RouterInput = .token
    ) {
        self.topK = topK
        self.gate = gate
        self.renormalizesWeights = renormalizesWeights
        self.input = input
    }

    /// What ICEdit's released weights are run with.
    public static let upstream = RoutingOptions(topK: 1, gate: .softmaxAfterTopK)
}
