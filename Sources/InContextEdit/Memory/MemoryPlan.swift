public import Models
public import TensorCore

/// What a run needs in memory, phase by phase, told before it begins.
///
/// Weights are counted as they lie in their files; where they do not all fit, those of the transformer and of T5 are
/// streamed block by block, so that two blocks are in memory at a time. Activations are estimates; see
/// ``MemoryEstimate``.
public struct MemoryPlan: Sendable {
    /// Something that takes memory.
    public struct Item: Sendable, Hashable {
        /// What it is.
        public let name: String
        /// Its size.
        public let size: ByteCount

        /// Names a size.
        public init(_ name: String, _ bytes: Int) { (self.name, size) = (name, ByteCount(bytes)) }
    }

    /// What is in memory at the same time.
    public struct Phase: Sendable {
        /// What is done then.
        public let name: String
        /// What it takes, besides what is always there.
        public let items: [Item]

        /// Collects both.
        public init(_ name: String, _ items: [Item]) { (self.name, self.items) = (name, items) }
    }

    /// What is there from the beginning to the end.
    public let always: [Item]
    /// The phases in their order.
    public let phases: [Phase]

    /// Collects both.
    public init(always: [Item], phases: [Phase]) { (self.always, self.phases) = (always, phases) }

    /// What a phase takes with all that is always there.
    public func size(of phase: Phase) -> ByteCount {
        ByteCount((always + phase.items).reduce(0) { $0 + $1.size.bytes })
    }

    /// The phase that takes most.
    public var largest: Phase { phases.max { size(of: $0) < size(of: $1) }! }

    /// What the largest phase takes.
    public var peak: ByteCount { size(of: largest) }

    /// A line for each phase: what it takes and of what this is made.
    public var lines: [String] {
        phases.map { phase in
            let parts = (always + phase.items).filter { $0.size.bytes > 0 }.map { "\($0.name) \($0.size)" }
            return "\(phase.name): \(size(of: phase)) (\(parts.joined(separator: ", ")))"
        }
    }
}

/// A run that needs more memory than it may take.
public struct MemoryPlanError: Error, CustomStringConvertible {
    /// What it needs.
    public let plan: MemoryPlan
    /// What it may take.
    public let budget: ByteCount
    /// What says how much that is, as a user spells it.
    public var setting = "memory"

    /// One line: what is needed for what, and what is there.
    public var description: String {
        "\(setting): expected at least \(plan.peak) for \(plan.lines.first { $0.hasPrefix(plan.largest.name) } ?? ""), "
            + "found \(budget)"
    }
}

/// What models take besides their weights, from their proportions.
///
/// The factors count the tensors that are alive at once and leave room; the peaks of an edit and of a training step at full
/// size lay below them.
public enum MemoryEstimate {
    /// The program itself, its libraries and the kernels' buffers: a fixed part, and packed rows and tiles by thread.
    public static var program: Int { (96 << 20) + Threads.count * (12 << 20) }

    /// A forward pass of the transformer over `batch` samples of so many tokens.
    public static func sampling(_ model: FluxConfiguration, tokens: Int, batch: Int, _ dtype: DType) -> Int {
        18 * state(model, tokens: tokens, batch: batch, dtype)
    }

    /// A forward and a backward pass with frozen weights: block inputs alone where blocks are checkpointed.
    public static func training(
        _ model: FluxConfiguration, tokens: Int, batch: Int, _ dtype: DType, checkpointing: Bool
    ) -> Int {
        let blocks = model.numLayers + model.numSingleLayers
        let factor = checkpointing ? blocks + 48 : 26 * blocks + 24
        return factor * state(model, tokens: tokens, batch: batch, dtype)
    }

    /// A tensor of all tokens.
    private static func state(_ model: FluxConfiguration, tokens: Int, batch: Int, _ dtype: DType) -> Int {
        batch * tokens * model.innerDimension * dtype.byteCount
    }

    /// A pass through T5 of `length` tokens.
    public static func textEncoding(_ model: T5Configuration, length: Int, _ dtype: DType) -> Int {
        let inner = model.numHeads * model.dKv
        let wide = length * (3 * model.dFf + 4 * inner) * dtype.byteCount
        return wide + length * model.dModel * 16 + 2 * model.numHeads * length * length * 4
    }

    /// A pass through the autoencoder, there or back.
    public static func imageCoding(
        _ model: AutoencoderKLConfiguration, height: Int, width: Int, _ dtype: DType, tiling: AutoencoderTiling
    ) -> Int {
        let finest = model.blockOutChannels[0] * height * width * dtype.byteCount
        let isTiled = tiling.applies(height: height, width: width)
        // The rows that a thread convolves at a time: staged with margins, and their sums.
        let band = width * model.blockOutChannels[0] * (16 * dtype.byteCount + 4 * 4)
        // Six of the finest tensors, since the decoder's last stage begins with the channels of the one before.
        return (isTiled ? finest * 9 / 4 : finest * 6) + 3 * height * width * 8 + Threads.count * band + (192 << 20)
    }
}
