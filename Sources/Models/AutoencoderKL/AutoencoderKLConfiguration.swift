import TensorIO

/// The proportions of an image autoencoder, as diffusers' `vae/config.json` spells them.
public struct AutoencoderKLConfiguration: Codable, Hashable, Sendable {
    /// Channels of an image.
    public var inChannels: Int
    /// Channels of a decoded image.
    public var outChannels: Int
    /// Channels of a latent.
    public var latentChannels: Int
    /// Channels at each resolution, the finest first; between two of them the resolution halves.
    public var blockOutChannels: [Int]
    /// Residual blocks at each resolution of the encoder; the decoder has one more.
    public var layersPerBlock: Int
    /// Groups of each group norm.
    public var normNumGroups: Int
    /// What a normalised latent was multiplied by.
    public var scalingFactor: Float
    /// What was subtracted from a latent before; 0 where the file has none.
    public var shiftFactor: Float
    /// Whether the middle blocks have an attention.
    public var midBlockAddAttention: Bool
    /// Whether a 1 x 1 convolution follows the encoder.
    public var useQuantConv: Bool
    /// Whether a 1 x 1 convolution precedes the decoder.
    public var usePostQuantConv: Bool

    private enum CodingKeys: String, CodingKey {
        case inChannels = "in_channels"
        case outChannels = "out_channels"
        case latentChannels = "latent_channels"
        case blockOutChannels = "block_out_channels"
        case layersPerBlock = "layers_per_block"
        case normNumGroups = "norm_num_groups"
        case scalingFactor = "scaling_factor"
        case shiftFactor = "shift_factor"
        case midBlockAddAttention = "mid_block_add_attention"
        case useQuantConv = "use_quant_conv"
        case usePostQuantConv = "use_post_quant_conv"
    }

    /// Fields that change nothing in what is computed here.
    private static let withoutEffect = ["force_upcast", "sample_size"]
    private static let downBlock = "DownEncoderBlock2D"
    private static let upBlock = "UpDecoderBlock2D"

    /// The proportions of FLUX's autoencoder.
    public init() {
        (inChannels, outChannels, latentChannels) = (3, 3, 16)
        (blockOutChannels, layersPerBlock, normNumGroups) = ([128, 256, 512, 512], 2, 32)
        (scalingFactor, shiftFactor) = (0.3611, 0.1159)
        (midBlockAddAttention, useQuantConv, usePostQuantConv) = (true, false, false)
    }

    /// Reads and checks a `config.json`.
    ///
    /// Fields that older files lack have diffusers' defaults: no shift, an attention in the middle, both 1 x 1
    /// convolutions. Throws `FileError` for another class, an unknown or missing field, a value of the wrong type or
    /// one that this autoencoder does not have, and values that do not fit each other.
    public init(path: String) throws { try self.init(ConfigurationFile(path: path)) }

    /// Checks the fields of a `config.json`, wherever they were found; throws as ``init(path:)`` does.
    public init(_ file: ConfigurationFile) throws {
        try file.requireClass(["AutoencoderKL"])
        func key(_ key: CodingKeys) -> String { key.rawValue }
        inChannels = try file.integer(key(.inChannels), in: 1...1024)
        outChannels = try file.integer(key(.outChannels), in: 1...1024)
        latentChannels = try file.integer(key(.latentChannels), in: 1...1024)
        blockOutChannels = try file.integers(key(.blockOutChannels))
        layersPerBlock = try file.integer(key(.layersPerBlock), in: 1...64)
        normNumGroups = try file.integer(key(.normNumGroups), in: 1...1 << 16)
        scalingFactor = Float(try file.number(key(.scalingFactor)))
        shiftFactor = Float(try file.number(key(.shiftFactor), default: 0))
        midBlockAddAttention = try file.flag(key(.midBlockAddAttention), default: true)
        useQuantConv = try file.flag(key(.useQuantConv), default: true)
        usePostQuantConv = try file.flag(key(.usePostQuantConv), default: true)

        let known = [
            CodingKeys.inChannels, .outChannels, .latentChannels, .blockOutChannels, .layersPerBlock, .normNumGroups,
            .scalingFactor, .shiftFactor, .midBlockAddAttention, .useQuantConv, .usePostQuantConv,
        ].map(\.rawValue)
        let checked = ["act_fn", "down_block_types", "up_block_types", "latents_mean", "latents_std"]
        try file.refuseUnknown(besides: known + checked + Self.withoutEffect)
        try checkFixedFields(file)
        try checkProportions(file)
    }

    /// Fields that other autoencoders of the family use, and that have one value here.
    private func checkFixedFields(_ file: ConfigurationFile) throws {
        guard try file.text("act_fn", default: "silu") == "silu" else { throw file.fault("act_fn", expected: "'silu'") }
        for (key, block) in [("down_block_types", Self.downBlock), ("up_block_types", Self.upBlock)] {
            guard try file.texts(key) == [String?](repeating: block, count: blockOutChannels.count) else {
                throw file.fault(key, expected: "\(blockOutChannels.count) times '\(block)', one for each resolution")
            }
        }
        // Statistics by channel would take the place of the one scale and shift.
        for key in ["latents_mean", "latents_std"] where !file.isAbsent(key) {
            throw file.fault(key, expected: "null, for latents scaled by scaling_factor")
        }
    }

    private func checkProportions(_ file: ConfigurationFile) throws {
        let isInRange = blockOutChannels.allSatisfy { (1...1 << 16).contains($0) && $0 % normNumGroups == 0 }
        guard (1...8).contains(blockOutChannels.count), isInRange else {
            throw file.fault(
                CodingKeys.blockOutChannels.rawValue,
                expected: "one to eight multiples of norm_num_groups, \(normNumGroups)")
        }
        guard scalingFactor.isFinite, scalingFactor != 0 else {
            throw file.fault(CodingKeys.scalingFactor.rawValue, expected: "a number other than 0")
        }
    }

    /// How many pixels a latent stands for along each axis: 8 for FLUX.
    public var downsampleFactor: Int { 1 << (blockOutChannels.count - 1) }
}
