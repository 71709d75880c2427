import TensorIO

/// How the noise levels of a flow-matching sampler are spaced, as diffusers' `scheduler/scheduler_config.json` spells it
/// (`FlowMatchEulerDiscreteScheduler`). Keys that the file leaves out have diffusers' defaults.
public struct SchedulerConfiguration: Codable, Hashable, Sendable {
    /// The factor between a noise level in 0…1 and a timestep.
    public var numTrainTimesteps = 1000
    /// The shift of noise levels where it does not depend on the picture's size.
    public var shift = 1.0
    /// Whether the shift grows with the number of latent tokens, from ``baseShift`` to ``maxShift``.
    public var useDynamicShifting = false
    /// The exponent of the shift at ``baseImageSeqLen`` tokens.
    public var baseShift = 0.5
    /// The exponent of the shift at ``maxImageSeqLen`` tokens.
    public var maxShift = 1.15
    /// The number of latent tokens at which ``baseShift`` holds.
    public var baseImageSeqLen = 256
    /// The number of latent tokens at which ``maxShift`` holds.
    public var maxImageSeqLen = 4096
    /// The noise level that the last step shall begin at, if the levels are stretched to one.
    public var shiftTerminal: Double?

    private enum CodingKeys: String, CodingKey, CaseIterable {
        case numTrainTimesteps = "num_train_timesteps"
        case shift
        case useDynamicShifting = "use_dynamic_shifting"
        case baseShift = "base_shift"
        case maxShift = "max_shift"
        case baseImageSeqLen = "base_image_seq_len"
        case maxImageSeqLen = "max_image_seq_len"
        case shiftTerminal = "shift_terminal"
    }

    /// Ways to space the noise levels that are not supported here.
    private static let refusedFlags = [
        "use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas", "invert_sigmas", "stochastic_sampling",
    ]

    /// diffusers' defaults.
    public init() {}

    /// Reads and checks a `scheduler_config.json`.
    ///
    /// Throws `FileError` for another scheduler, an unknown key, a value of the wrong type or out of range, and for
    /// every setting that changes the noise levels in a way that is not supported.
    public init(path: String) throws {
        let file = try ConfigurationFile(path: path)
        try file.requireClass(["FlowMatchEulerDiscreteScheduler"])
        let known = CodingKeys.allCases.map(\.rawValue) + Self.refusedFlags + ["time_shift_type"]
        try file.refuseUnknown(besides: known)
        for key in Self.refusedFlags where try file.flag(key, default: false) {
            throw file.fault(key, expected: "false, the only supported value")
        }
        guard try file.text("time_shift_type", default: "exponential") == "exponential" else {
            throw file.fault("time_shift_type", expected: "'exponential', the only supported value")
        }
        func number(_ key: CodingKeys, _ absent: Double) throws -> Double {
            try file.number(key.rawValue, default: absent)
        }
        func integer(_ key: CodingKeys, _ absent: Int) throws -> Int {
            try file.integer(key.rawValue, default: absent)
        }
        numTrainTimesteps = try integer(.numTrainTimesteps, numTrainTimesteps)
        shift = try number(.shift, shift)
        useDynamicShifting = try file.flag(CodingKeys.useDynamicShifting.rawValue, default: useDynamicShifting)
        baseShift = try number(.baseShift, baseShift)
        maxShift = try number(.maxShift, maxShift)
        baseImageSeqLen = try integer(.baseImageSeqLen, baseImageSeqLen)
        maxImageSeqLen = try integer(.maxImageSeqLen, maxImageSeqLen)
        shiftTerminal = try file.numberIfAny(CodingKeys.shiftTerminal.rawValue)
        if shift <= 0 { throw file.fault(CodingKeys.shift.rawValue, expected: "a number above 0") }
        if maxImageSeqLen <= baseImageSeqLen {
            throw file.fault(
                CodingKeys.maxImageSeqLen.rawValue, expected: "more than base_image_seq_len, \(baseImageSeqLen)")
        }
        if let shiftTerminal, !(0..<1).contains(shiftTerminal) {
            throw file.fault(CodingKeys.shiftTerminal.rawValue, expected: "null or a number from 0 to below 1")
        }
    }
}
