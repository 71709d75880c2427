import TensorIO

/// The proportions of a FLUX transformer, as diffusers' `transformer/config.json` spells them.
///
/// A key that the file leaves out has diffusers' default, which is that of FLUX.1: files of [dev] name only some.
public struct FluxConfiguration: Codable, Hashable, Sendable {
    /// Width of a packed latent token at the input: 64 for [dev], 384 for [Fill].
    public var inChannels = 64
    /// Width of a token at the output.
    public var outChannels = 64
    /// The number of double-stream blocks.
    public var numLayers = 19
    /// The number of single-stream blocks.
    public var numSingleLayers = 38
    /// Width of one attention head.
    public var attentionHeadDim = 128
    /// The number of attention heads.
    public var numAttentionHeads = 24
    /// Width of a token of the text encoder.
    public var jointAttentionDim = 4096
    /// Width of the pooled text.
    public var pooledProjectionDim = 768
    /// Whether the guidance scale is an input of the model ([dev], [Fill]) or not ([schnell]).
    public var guidanceEmbeds = false
    /// How many of a head's channels turn with each of the three coordinates of a token.
    public var axesDimsRope = [16, 56, 56]

    private enum CodingKeys: String, CodingKey, CaseIterable {
        case inChannels = "in_channels"
        case outChannels = "out_channels"
        case numLayers = "num_layers"
        case numSingleLayers = "num_single_layers"
        case attentionHeadDim = "attention_head_dim"
        case numAttentionHeads = "num_attention_heads"
        case jointAttentionDim = "joint_attention_dim"
        case pooledProjectionDim = "pooled_projection_dim"
        case guidanceEmbeds = "guidance_embeds"
        case axesDimsRope = "axes_dims_rope"
    }

    /// The proportions of FLUX.1 [schnell], diffusers' defaults.
    public init() {}

    /// Reads and checks a `config.json`; throws `FileError` for an unknown key, a value of the wrong type or out of
    /// range, and values that do not fit each other.
    public init(path: String) throws { try self.init(ConfigurationFile(path: path)) }

    /// Checks the fields of a `config.json`, wherever they were found; throws as ``init(path:)`` does.
    public init(_ file: ConfigurationFile) throws {
        try file.requireClass(["FluxTransformer2DModel"])
        try file.refuseUnknown(besides: CodingKeys.allCases.map(\.rawValue) + ["patch_size"])
        func integer(_ key: CodingKeys, _ absent: Int, in range: ClosedRange<Int> = 1...1 << 20) throws -> Int {
            try file.integer(key.rawValue, default: absent, in: range)
        }
        // Latents are packed before they reach the transformer; its own patches would be a second packing.
        _ = try file.integer("patch_size", default: 1, in: 1...1)
        inChannels = try integer(.inChannels, inChannels)
        outChannels = try integer(.outChannels, inChannels)
        numLayers = try integer(.numLayers, numLayers, in: 0...1024)
        numSingleLayers = try integer(.numSingleLayers, numSingleLayers, in: 0...1024)
        attentionHeadDim = try integer(.attentionHeadDim, attentionHeadDim, in: 2...4096)
        numAttentionHeads = try integer(.numAttentionHeads, numAttentionHeads, in: 1...4096)
        jointAttentionDim = try integer(.jointAttentionDim, jointAttentionDim)
        pooledProjectionDim = try integer(.pooledProjectionDim, pooledProjectionDim)
        guidanceEmbeds = try file.flag(CodingKeys.guidanceEmbeds.rawValue, default: guidanceEmbeds)
        axesDimsRope = try file.integers(CodingKeys.axesDimsRope.rawValue, default: axesDimsRope)
        let axesFit =
            axesDimsRope.count == 3 && axesDimsRope.allSatisfy { (1...4096).contains($0) && $0 % 2 == 0 }
            && axesDimsRope.reduce(0, +) == attentionHeadDim
        guard axesFit else {
            throw file.fault(
                CodingKeys.axesDimsRope.rawValue,
                expected: "three even numbers with the sum of attention_head_dim, \(attentionHeadDim)")
        }
    }

    /// Which of the published models has these inputs; nil for none of them.
    public var variant: String? {
        // A Fill model sees the masked image's latents and the mask, unshuffled 8 x 8 and packed 2 x 2, besides the noise.
        switch inChannels - outChannels {
        case outChannels + Self.maskChannels: "FLUX.1 [Fill]"
        case outChannels: "FLUX.1 [Canny] or [Depth]"
        case 0: guidanceEmbeds ? "FLUX.1 [dev]" : "FLUX.1 [schnell]"
        default: nil
        }
    }

    /// Channels of a packed mask: the 8 x 8 pixels of a latent, in the 2 x 2 latents of a token.
    public static let maskChannels = 8 * 8 * 4

    /// Width of a token inside the model.
    public var innerDimension: Int { numAttentionHeads * attentionHeadDim }
}
