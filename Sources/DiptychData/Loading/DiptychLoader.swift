public import InContextEdit
public import Models
import Synchronization
public import TensorCore
public import TensorIO

/// A batch of encoded diptychs with its noise and times drawn.
public struct DiptychBatch: Sendable {
    /// Clean packed latents, `[B, tokens, 64]`.
    public let clean: Tensor
    /// Noise of the same shape.
    public let noise: Tensor
    /// Times in `(0, 1)`, `[B]`.
    public let time: Tensor
    /// What the model is given besides the noisy latents.
    public let conditioning: Conditioning
    /// The numbers of the samples.
    public let indices: [Int]
    /// The sizes of every diptych.
    public let geometry: DiptychGeometry
}

/// Gives batches for ever, from a state that is small enough for a checkpoint: a place in the order of samples and a
/// random generator.
///
/// Samples are read ahead on threads of the loader's own; what a batch holds depends on the state alone.
public final class DiptychLoader {
    /// How batches are drawn.
    public struct Options: Sendable {
        /// Samples a batch.
        public var batchSize: Int
        /// The share of samples whose prompt is replaced by the empty one.
        public var textDrop: Float
        /// The distribution of times.
        public var times: any TimeDistribution
        /// The guidance scale, fed to the guidance embedding.
        public var guidance: Float = 1
        /// What is drawn of a pair.
        public var draws = DrawOptions()
        /// Whether text is cut after the last token of any prompt of a batch, rounded up to 64, instead of being padded
        /// to its full length. FLUX attends to padding, so that results change.
        public var trimsText = false
        /// Whether a pair that cannot be read is replaced by the next one of its shape, and a batch of a shape of which none
        /// can be read by one of the next shape.
        public var skipsFaults = false
        /// Threads that read ahead; 0 reads when a batch is asked for.
        public var workers = 0
        /// The most samples that are read ahead.
        public var ahead = 16

        /// Collects the options.
        public init(batchSize: Int, textDrop: Float, times: any TimeDistribution = LogitNormalTimes()) {
            self.batchSize = batchSize
            self.textDrop = textDrop
            self.times = times
        }
    }

    /// A place in the order.
    private struct Place: Sendable {
        var index: Int
        var epoch: Int
        var position: Int
    }

    private struct Reading: Sendable {
        var draw: SampleDraw
        var loaded: LoadedSample
        var faults: [Fault]
    }

    /// A pair that cannot be read.
    private struct Fault: Sendable {
        var index: Int
        var fault: FileError
    }

    /// The shapes that pairs have, and the first fault of those of which no pair can be read; for all threads.
    private final class UsedShapes: Sendable {
        let all: [Int]
        let unreadable = Mutex<[Int: Fault]>([:])

        init(_ shapeOfPair: [Int]) { all = Set(shapeOfPair).sorted() }
    }

    private let source: any SampleSource
    private let options: Options
    private let tokenCounts: [Int]
    private var prefetcher: Prefetcher<Place, Result<Reading, any Error>>?
    private var reported: Set<Int> = []
    /// The shapes of the pairs' diptychs.
    public var shapes: PanelShapes { source.shapes }
    /// The place in the order of samples.
    public private(set) var order: EpochOrder
    /// What noise, times and dropped prompts are drawn from.
    public private(set) var random: Random
    /// Seconds spent waiting for samples that were not ready.
    public private(set) var waitingSeconds = 0.0
    /// Samples given, and how many of them mirrored.
    public private(set) var sampleCount = 0, mirroredCount = 0
    /// Pairs that were replaced because they cannot be read, each once.
    public private(set) var skipped: [FileError] = []

    /// Begins or continues at `order` and `random`.
    ///
    /// `groups` of ``EpochOrder/plan`` must be those of `groups(of:trimsText:)` when there are several.
    public init(_ source: any SampleSource, options: Options, order: EpochOrder, random: Random) throws {
        precondition(order.count == source.dataset.records.count, "an order of another dataset")
        self.source = source
        self.options = options
        self.order = order
        self.random = random
        tokenCounts = options.trimsText ? try Self.tokenCounts(source, options.draws) : []
    }

    /// Goes back, or on, to another place of the sequence.
    public func move(to order: EpochOrder, _ random: Random) {
        precondition(order.count == self.order.count, "an order of another dataset")
        self.order = order
        self.random = random
        prefetcher = nil
    }

    /// The next batch. Throws when a picture of it cannot be read, or with ``Options/skipsFaults`` when none of the dataset
    /// can.
    public func next() throws -> DiptychBatch {
        let indices = (0..<options.batchSize).map { _ in nextIndex() }
        let readings = try indices.map { _ in try take() }
        let samples = try readings.map { try source.sample($0.draw, $0.loaded) }
        let texts = try samples.map { sample in
            random.uniform() < options.textDrop ? try source.text("") : sample.text
        }
        let geometry = source.shapes[readings[0].draw.index]
        let times = samples.map { _ in options.times.sample(&random, tokenCount: geometry.tokenCount) }
        let clean = Self.stack(samples.map(\.clean))
        let length = options.trimsText ? readings.map { tokenCounts[$0.draw.index] }.max()! : .max
        let conditioning = source.framework.conditioning(
            source: Self.stack(samples.map(\.source)), text: Self.stack(texts.map { $0.prefix(length).sequence }),
            pooled: Self.stack(texts.map(\.pooled)), guidance: options.guidance, geometry: geometry)
        return DiptychBatch(
            clean: clean, noise: random.randn(clean.shape), time: Tensor(times, [times.count]),
            conditioning: conditioning, indices: readings.map(\.draw.index), geometry: geometry)
    }

    // MARK: Groups

    /// The number of the group of each sample: samples of a batch must be diptychs of one shape and, where text is
    /// trimmed, should have prompts of like length.
    public static func groups(of source: any SampleSource, _ options: Options) throws -> [Int] {
        let shapes = source.shapes.shapeOfPair
        guard options.trimsText else { return shapes }
        return zip(shapes, try tokenCounts(source, options.draws)).map { $0 * 4096 + $1 }
    }

    /// The tokens that each pair's longest prompt needs, rounded up to 64.
    private static func tokenCounts(_ source: any SampleSource, _ draws: DrawOptions) throws -> [Int] {
        var known: [String: Int] = [:]
        return try source.dataset.records.enumerated().map { index, record in
            try draws.prompts(of: record, panelLayout: source.shapes[index].panelLayout).map { prompt in
                if let count = known[prompt] { return count }
                let count = (try source.tokenCount(of: prompt) + 63) / 64 * 64
                known[prompt] = count
                return count
            }.max()!
        }
    }

    // MARK: Reading ahead

    private func nextIndex() -> Int {
        if prefetcher == nil { prefetcher = makePrefetcher() }
        return order.next()
    }

    private func take() throws -> Reading {
        let begin = ContinuousClock.now
        let result = prefetcher!.take()
        waitingSeconds += begin.duration(to: .now) / .seconds(1)
        let reading = try result.get()
        sampleCount += 1
        if reading.draw.view.isMirrored { mirroredCount += 1 }
        for one in reading.faults where reported.insert(one.index).inserted { skipped.append(one.fault) }
        return reading
    }

    private func makePrefetcher() -> Prefetcher<Place, Result<Reading, any Error>> {
        var ahead = order
        let (options, dataset, shapes, read) = (options, source.dataset, source.shapes, source.read)
        let used = UsedShapes(shapes.shapeOfPair)
        return Prefetcher(
            threads: options.workers, ahead: max(options.ahead, options.batchSize),
            requests: {
                let index = ahead.next()
                return Place(index: index, epoch: ahead.epoch, position: ahead.position)
            },
            make: { place in Result { try Self.reading(place, dataset, shapes, used, options, read) } })
    }

    /// Reads a sample, or with `skipsFaults` the next one of its shape that can be read, or where there is none, of the next
    /// shape: a function of the place alone, so that a resumed run replaces alike, and all of a batch have one shape.
    ///
    /// Throws `FileError` when the whole dataset has none.
    private static func reading(
        _ place: Place, _ dataset: PairDataset, _ shapes: PanelShapes, _ used: UsedShapes, _ options: Options,
        _ read: (SampleDraw) throws -> LoadedSample
    ) throws -> Reading {
        var faults: [Fault] = []
        let numbers = shapes.shapeOfPair
        let (count, first) = (numbers.count, numbers[place.index])
        for shape in used.all.filter({ $0 >= first }) + used.all.filter({ $0 < first }) {
            if used.unreadable.withLock({ $0[shape] }) != nil { continue }
            let start = faults.count
            for index in (0..<count).lazy.map({ (place.index + $0) % count }) where numbers[index] == shape {
                do {
                    let draw = try options.draws.draw(
                        dataset.records[index], panelLayout: shapes[index].panelLayout, index: index,
                        epoch: place.epoch, position: place.position)
                    return Reading(draw: draw, loaded: try read(draw), faults: faults)
                } catch {
                    guard options.skipsFaults else { throw error }
                    faults.append(Fault(index: index, fault: dataset.fault(at: index, error)))
                }
            }
            // Known from here on, so that not every place of such a shape goes through all of it again.
            let earliest = faults[start...].min { $0.index < $1.index }!
            used.unreadable.withLock { $0[shape] = earliest }
        }
        let earliest = used.unreadable.withLock { $0.values.min { $0.index < $1.index }! }
        throw dataset.nothingReadable(first: earliest.fault)
    }

    private static func stack(_ parts: [Tensor]) -> Tensor {
        Tensor.concatenated(parts.map { $0.unsqueezed(0) }, axis: 0)
    }
}
