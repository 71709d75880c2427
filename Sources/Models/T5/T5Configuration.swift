import TensorIO

/// The proportions of a T5 v1.1 text encoder, as transformers' `config.json` spells them.
public struct T5Configuration: Codable, Hashable, Sendable {
    /// Rows of the table of token vectors.
    public var vocabSize: Int
    /// Width of a token.
    public var dModel: Int
    /// Width of an attention head; the heads together need not be as wide as a token.
    public var dKv: Int
    /// Width inside the feed-forward layers.
    public var dFf: Int
    /// The number of blocks.
    public var numLayers: Int
    /// The number of attention heads.
    public var numHeads: Int
    /// The number of buckets for the distance between two tokens, both directions together.
    public var relativeAttentionNumBuckets: Int
    /// The distance from which on all share the last bucket of their direction.
    public var relativeAttentionMaxDistance: Int
    /// Added to the mean square in each norm.
    public var layerNormEpsilon: Float

    private enum CodingKeys: String, CodingKey {
        case vocabSize = "vocab_size"
        case dModel = "d_model"
        case dKv = "d_kv"
        case dFf = "d_ff"
        case numLayers = "num_layers"
        case numHeads = "num_heads"
        case relativeAttentionNumBuckets = "relative_attention_num_buckets"
        case relativeAttentionMaxDistance = "relative_attention_max_distance"
        case layerNormEpsilon = "layer_norm_epsilon"
    }

    /// The proportions of T5 v1.1 XXL, FLUX's long encoder.
    public init() {
        (vocabSize, dModel, dKv, dFf, numLayers, numHeads) = (32_128, 4096, 64, 10_240, 24, 64)
        (relativeAttentionNumBuckets, relativeAttentionMaxDistance, layerNormEpsilon) = (32, 128, 1e-6)
    }

    /// Reads and checks a `config.json`; fields that do not concern the encoder are passed over.
    ///
    /// Throws `FileError` for another class than `T5EncoderModel`, another feed-forward layer than `gated-gelu`, a
    /// missing field, and values of the wrong type, out of range or at odds with each other.
    public init(path: String) throws { try self.init(ConfigurationFile(path: path)) }

    /// Checks the fields of a `config.json`, wherever they were found; throws as ``init(path:)`` does.
    public init(_ file: ConfigurationFile) throws {
        try file.requireTransformersModel(type: "t5", architectures: ["T5EncoderModel"])
        func integer(_ key: CodingKeys, default absent: Int? = nil, in range: ClosedRange<Int>) throws -> Int {
            try file.integer(key.rawValue, default: absent, in: range)
        }
        vocabSize = try integer(.vocabSize, in: 1...1 << 24)
        dModel = try integer(.dModel, in: 1...1 << 16)
        dKv = try integer(.dKv, in: 1...1 << 16)
        dFf = try integer(.dFf, in: 1...1 << 20)
        numLayers = try integer(.numLayers, in: 1...1024)
        numHeads = try integer(.numHeads, in: 1...1024)
        relativeAttentionNumBuckets = try integer(.relativeAttentionNumBuckets, in: 4...1 << 16)
        // Files of old versions lack it; the value was fixed then.
        relativeAttentionMaxDistance = try integer(.relativeAttentionMaxDistance, default: 128, in: 2...1 << 24)
        layerNormEpsilon = Float(try file.number(CodingKeys.layerNormEpsilon.rawValue))

        guard layerNormEpsilon > 0 else {
            throw file.fault(CodingKeys.layerNormEpsilon.rawValue, expected: "a positive number")
        }
        guard relativeAttentionNumBuckets % 4 == 0 else {
            throw file.fault(CodingKeys.relativeAttentionNumBuckets.rawValue, expected: "a multiple of 4")
        }
        guard relativeAttentionMaxDistance > relativeAttentionNumBuckets / 4 else {
            throw file.fault(
                CodingKeys.relativeAttentionMaxDistance.rawValue,
                expected: "more than a quarter of relative_attention_num_buckets, \(relativeAttentionNumBuckets / 4)")
        }
        // Version 1.0 has one ungated ReLU layer instead; transformers takes "gated-gelu" to mean the tanh form.
        guard try file.text("feed_forward_proj") == "gated-gelu" else {
            throw file.fault("feed_forward_proj", expected: "'gated-gelu', as in T5 v1.1")
        }
        guard try file.text("dense_act_fn", default: "gelu_new") == "gelu_new" else {
            throw file.fault("dense_act_fn", expected: "'gelu_new'")
        }
        guard try file.flag("is_gated_act", default: true) else { throw file.fault("is_gated_act", expected: "true") }
        guard try !file.flag("is_decoder", default: false) else { throw file.fault("is_decoder", expected: "false") }
    }
}
