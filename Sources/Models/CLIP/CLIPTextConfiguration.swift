import TensorCore
import TensorIO

/// The proportions of a CLIP text encoder, as transformers' `config.json` spells them.
public struct CLIPTextConfiguration: Codable, Hashable, Sendable {
    /// The activation inside the feed-forward layers.
    public enum HiddenActivation: String, Codable, Sendable, CaseIterable {
        /// `x sigmoid(1.702 x)`: OpenAI's models.
        case quickGelu = "quick_gelu"
        /// The exact GELU: OpenCLIP's models.
        case gelu

        var operation: UnaryOperation { self == .quickGelu ? .quickGelu : .gelu }
    }

    /// Rows of the table of token vectors.
    public var vocabSize: Int
    /// Width of a token.
    public var hiddenSize: Int
    /// Width inside the feed-forward layers.
    public var intermediateSize: Int
    /// The number of layers.
    public var numHiddenLayers: Int
    /// The number of attention heads.
    public var numAttentionHeads: Int
    /// The most tokens of a prompt.
    public var maxPositionEmbeddings: Int
    /// The activation inside the feed-forward layers.
    public var hiddenAct: HiddenActivation
    /// Added to the variance in each norm.
    public var layerNormEps: Float
    /// The token whose hidden state stands for the whole prompt; 2 in older files, which means the largest id.
    public var eosTokenID: Int

    private enum CodingKeys: String, CodingKey {
        case vocabSize = "vocab_size"
        case hiddenSize = "hidden_size"
        case intermediateSize = "intermediate_size"
        case numHiddenLayers = "num_hidden_layers"
        case numAttentionHeads = "num_attention_heads"
        case maxPositionEmbeddings = "max_position_embeddings"
        case hiddenAct = "hidden_act"
        case layerNormEps = "layer_norm_eps"
        case eosTokenID = "eos_token_id"
    }

    /// The proportions of CLIP ViT-L/14, FLUX's short encoder.
    public init() {
        (vocabSize, hiddenSize, intermediateSize, numHiddenLayers) = (49_408, 768, 3072, 12)
        (numAttentionHeads, maxPositionEmbeddings, hiddenAct) = (12, 77, .quickGelu)
        (layerNormEps, eosTokenID) = (1e-5, 2)
    }

    /// Reads and checks a `config.json`; fields that do not concern the hidden states are passed over.
    ///
    /// Throws `FileError` for another class than `CLIPTextModel` and `CLIPTextModelWithProjection`, an activation other
    /// than ``HiddenActivation``'s, a missing field, and values of the wrong type, out of range or at odds with each
    /// other.
    public init(path: String) throws { try self.init(ConfigurationFile(path: path)) }

    /// Checks the fields of a `config.json`, wherever they were found; throws as ``init(path:)`` does.
    public init(_ file: ConfigurationFile) throws {
        try file.requireTransformersModel(
            type: "clip_text_model", architectures: ["CLIPTextModel", "CLIPTextModelWithProjection"])
        func integer(_ key: CodingKeys, in range: ClosedRange<Int>) throws -> Int {
            try file.integer(key.rawValue, in: range)
        }
        vocabSize = try integer(.vocabSize, in: 1...1 << 24)
        hiddenSize = try integer(.hiddenSize, in: 1...1 << 16)
        intermediateSize = try integer(.intermediateSize, in: 1...1 << 20)
        numHiddenLayers = try integer(.numHiddenLayers, in: 1...1024)
        numAttentionHeads = try integer(.numAttentionHeads, in: 1...1024)
        maxPositionEmbeddings = try integer(.maxPositionEmbeddings, in: 2...1 << 16)
        layerNormEps = Float(try file.number(CodingKeys.layerNormEps.rawValue))
        eosTokenID = try integer(.eosTokenID, in: 0...1 << 24)
        guard let activation = HiddenActivation(rawValue: try file.text(CodingKeys.hiddenAct.rawValue)) else {
            let names = HiddenActivation.allCases.map { "'\($0.rawValue)'" }
            throw file.fault(CodingKeys.hiddenAct.rawValue, expected: names.joined(separator: " or "))
        }
        hiddenAct = activation

        guard hiddenSize % numAttentionHeads == 0 else {
            throw file.fault(
                CodingKeys.numAttentionHeads.rawValue, expected: "a divisor of hidden_size, \(hiddenSize)")
        }
        guard layerNormEps > 0 else {
            throw file.fault(CodingKeys.layerNormEps.rawValue, expected: "a positive number")
        }
        guard eosTokenID < vocabSize else {
            throw file.fault(CodingKeys.eosTokenID.rawValue, expected: "an id below vocab_size, \(vocabSize)")
        }
    }
}
