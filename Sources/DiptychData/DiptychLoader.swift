public import InContextEdit
public import TensorCore

/// A batch of encoded diptychs with its noise and times drawn.
public struct DiptychBatch: Sendable {
    /// Clean packed latents, `[B, tokens, 64]`.
    public let clean: Tensor
    /// Noise of the same shape.
    public let noise: Tensor
    /// Times in `(0, 1)`, `[B]`.
    public let time: Tensor
    /// Masked-image latents and mask, `[B, tokens, 320]`.
    public let condition: Tensor
    /// Text, `[B, T, d]`.
    public let text: Tensor
    /// Pooled text, `[B, p]`.
    public let pooled: Tensor
    /// The numbers of the samples.
    public let indices: [Int]
}

/// Gives batches for ever, from a state that is small enough for a checkpoint: a place in the order of samples and a
/// random generator.
public final class DiptychLoader {
    /// How batches are drawn.
    public struct Options: Sendable, Hashable {
        /// Samples a batch.
        public var batchSize: Int
        /// The share of samples whose prompt is replaced by the empty one.
        public var textDrop: Float
        /// The distribution of times.
        public var times: TimeDistribution

        /// Collects the options.
        public init(batchSize: Int, textDrop: Float, times: TimeDistribution = .logitNormal(mean: 0, deviation: 1)) {
            self.batchSize = batchSize
            self.textDrop = textDrop
            self.times = times
        }
    }

    private let encoder: SampleEncoder
    private let options: Options
    /// The place in the order of samples.
    public private(set) var order: EpochOrder
    /// What noise, times and dropped prompts are drawn from.
    public private(set) var random: Random

    /// Begins or continues at `order` and `random`.
    public init(_ encoder: SampleEncoder, options: Options, order: EpochOrder, random: Random) {
        precondition(order.count == encoder.dataset.records.count, "an order of another dataset")
        self.encoder = encoder
        self.options = options
        self.order = order
        self.random = random
    }

    /// Goes back, or on, to another place of the sequence.
    public func move(to order: EpochOrder, _ random: Random) {
        precondition(order.count == self.order.count, "an order of another dataset")
        self.order = order
        self.random = random
    }

    /// The next batch. Throws when a picture of it cannot be read.
    public func next() throws -> DiptychBatch {
        let indices = (0..<options.batchSize).map { _ in order.next() }
        let samples = try indices.map(encoder.sample(at:))
        let texts = samples.map { sample in
            random.uniform() < options.textDrop ? encoder.text("") : sample.text
        }
        let times = samples.map { _ in options.times.sample(&random) }
        let clean = Self.stack(samples.map(\.clean))
        return DiptychBatch(
            clean: clean, noise: random.randn(clean.shape), time: Tensor(times, [times.count]),
            condition: Self.stack(samples.map(\.condition)), text: Self.stack(texts.map(\.sequence)),
            pooled: Self.stack(texts.map(\.pooled)), indices: indices)
    }

    private static func stack(_ parts: [Tensor]) -> Tensor {
        Tensor.concatenated(parts.map { $0.unsqueezed(0) }, axis: 0)
    }
}
