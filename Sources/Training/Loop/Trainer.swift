public import Adapters
import Autograd
public import DiptychData
import Foundation
public import InContextEdit
public import Models
import NeuralNet
import Optimizers
public import TensorCore
public import TensorIO

/// Trains adapters on a frozen pipeline: one object from the configuration to the last checkpoint.
///
/// A run is a function of its configuration. Everything that the next step depends on is in ``checkpoint()``, so a
/// resumed run gives the same losses as one that was never stopped, bit for bit at the same number of threads.
public final class Trainer {
    /// What decides the run.
    public let configuration: RunConfiguration
    /// The frozen model.
    public let transformer: FluxTransformer
    /// The encoders; nil where a cache holds what they give.
    public let encoders: FrozenEncoders?
    /// What is trained.
    public let adapters: AdapterSet
    /// The pairs.
    public let dataset: PairDataset
    /// Steps done.
    public private(set) var step = 0
    /// Seconds of training, over all sessions.
    public private(set) var seconds = 0.0
    /// The routing of the last step.
    public private(set) var routing: [RoutingStatistics] = []
    /// What is to be known of the weights that the run began with, one sentence each.
    public let notices: [String]
    /// What becomes of the pairs that their maker may not expect, one line a kind.
    public let notes: [String]
    /// How many samples this session took, and how many of them mirrored.
    public var sampleCount: (all: Int, mirrored: Int) { (loader.sampleCount, loader.mirroredCount) }
    /// Pairs that were left out or replaced because they are faulty, each once.
    public var skippedPairs: [FileError] { dataset.leftOut + loader.skipped }

    /// What tells the base and the pairs from others.
    let fingerprints: RunFingerprints
    let loader: DiptychLoader
    /// How many prompts the dataset has, the empty one among them; counted once, since a plan of memory is made for several
    /// ways. Every pair has its prompts: the encoder of samples was made with them.
    private(set) lazy var promptCount = try! dataset.distinctPrompts(configuration.drawOptions, loader.shapes).count
    let optimizer: any Optimizer
    let average: ExponentialMovingAverage?
    private let schedule: LearningRateSchedule

    /// Reads the base and the data, injects the adapters, and continues from `checkpoint` if there is one.
    ///
    /// Throws what is wrong with the configuration, the files or the checkpoint before any training.
    ///
    /// `acceptsChangedData` goes on although the pairs are not those that the run began with, as when a picture has been
    /// mended; their number must be. `checking` is told of every pair that is decoded before the first step.
    public init(
        _ configuration: RunConfiguration, resuming checkpoint: RunCheckpoint? = nil, acceptsChangedData: Bool = false,
        checking: @Sendable (WorkProgress) -> Void = { _ in }
    ) throws {
        self.configuration = configuration
        Threads.set(configuration.training.threads)
        dataset = try Self.dataset(configuration, checking: checking)
        var known: RunFingerprints?
        if let checkpoint {
            // Before all pictures are decoded.
            try Self.requireCount(checkpoint, dataset, configuration)
            if let earlier = checkpoint.fingerprints {
                known = try RunFingerprints(configuration.base.parts, dataset)
                try known?.require(earlier, configuration, acceptsChangedData: acceptsChangedData)
            }
        }
        let source = try Self.source(configuration, dataset, checking: checking)
        encoders = source.encoders
        let tokenizers = try encoders?.textEncoders.tokenizers ?? configuration.base.parts.loadTokenizers()
        notes =
            PairNotes(
                dataset, source.samples.shapes, configuration.noteSettings(tokenizers),
                transparentPictures: source.transparentPictures
            ).lines
        transformer = try configuration.base.parts.loadTransformer()
        fingerprints = try known ?? RunFingerprints(configuration.base.parts, dataset)
        try configuration.base.framework.framework.require(
            transformer, latentChannels: source.latentChannels, configuration.base.parts)
        transformer.usesGradientCheckpointing = configuration.training.gradientCheckpointing
        let seed = UInt64(configuration.training.seed)
        do {
            adapters = try AdapterSet(
                injecting: configuration.adapterConfiguration, into: transformer,
                pooledWidth: transformer.configuration.pooledProjectionDim, seed: seed)
        } catch AdapterError.unmatched(let method, let pattern, let layers, let nearest) {
            throw FileError(
                "configuration", key: "adapter.\(method).targets",
                expected: "patterns that match a linear layer of the base",
                found: "'\(pattern)', which matches none of \(layers)", nearest: nearest)
        }
        if checkpoint == nil, let path = configuration.adapter.startFrom {
            notices = try Self.begin(adapters, from: path, in: transformer)
        } else {
            notices = []
        }
        optimizer = configuration.makeOptimizer()
        schedule = configuration.learningRateSchedule
        average = configuration.training.emaDecay.map { ExponentialMovingAverage(decay: $0) }

        let order = try configuration.order(
            of: source.samples, epoch: checkpoint?.epoch ?? 0, position: checkpoint?.position ?? 0)
        // The adapter's weights come from the seed itself; noise and times from another stream.
        var random = Random(seed: seed ^ 0x5DEE_CE66)
        if let checkpoint {
            guard let restored = Random(state: checkpoint.random) else {
                throw FileError("checkpoint", key: "random", expected: "a generator's state", found: "other words")
            }
            random = restored
        }
        loader = try DiptychLoader(source.samples, options: configuration.loaderOptions, order: order, random: random)
        if let checkpoint { try restore(checkpoint) }
    }

    /// The pairs. Where their listing is faulty, their pictures are looked at too, so that all that is wrong is said at once.
    private static func dataset(
        _ configuration: RunConfiguration, checking: @Sendable (WorkProgress) -> Void
    ) throws -> PairDataset {
        do {
            return try configuration.openDataset()
        } catch let error as DatasetError {
            var rest = configuration
            rest.data.onError = .skip
            guard configuration.checksFirst, let others = try? rest.openDataset() else { throw error }
            throw DatasetError(faults: error.faults + others.inspect(progress: checking).faults)
        }
    }

    /// Where samples come from: the cache if there is one, otherwise the encoders, after a look at every picture.
    private static func source(
        _ configuration: RunConfiguration, _ dataset: PairDataset,
        checking: @Sendable (WorkProgress) -> Void
    ) throws -> (
        samples: any SampleSource, encoders: FrozenEncoders?, latentChannels: Int, transparentPictures: Int
    ) {
        let data = configuration.data
        let parts = configuration.base.parts
        if let folder = data.cache {
            let cache = try SampleCache(
                folder: folder, dataset, options: configuration.encoderOptions, key: configuration.cacheKey(dataset))
            if data.onError == .stop, !cache.leftOut.isEmpty {
                throw FileError(
                    folder, expected: "every pair (data.on_error: skip trains without some)",
                    found: "\(cache.leftOut.count) left out, such as pair \(cache.leftOut[0] + 1)")
            }
            return (cache, nil, cache.latentWidth / 4, 0)
        }
        var transparentPictures = 0
        if configuration.checksFirst {
            let inspection = dataset.inspect(progress: checking)
            if !inspection.faults.isEmpty { throw DatasetError(faults: inspection.faults) }
            transparentPictures = inspection.transparentPictures
        }
        if !parts.namesAllModels { _ = try PipelineFolder(path: parts.folder) }
        let encoders = try FrozenEncoders(parts, options: configuration.pipelineEncoders)
        let encoder = try SampleEncoder(dataset, encoders: encoders, options: configuration.encoderOptions)
        return (
            encoder, encoders, encoders.vae.configuration.latentChannels, transparentPictures
        )
    }

    private static func requireCount(
        _ checkpoint: RunCheckpoint, _ dataset: PairDataset, _ configuration: RunConfiguration
    ) throws {
        guard checkpoint.sampleCount == dataset.records.count else {
            throw FileError(
                configuration.data.path, expected: "the \(checkpoint.sampleCount) pairs that the run began with",
                found: "\(dataset.records.count)")
        }
    }

    private func restore(_ checkpoint: RunCheckpoint) throws {
        guard checkpoint.position <= loader.order.epochCount else {
            throw FileError(
                "checkpoint", key: "position",
                expected: "a place among the \(loader.order.epochCount) samples of a pass",
                found: "\(checkpoint.position)")
        }
        guard checkpoint.baseParameterCount == adapters.baseParameterCount else {
            throw FileError(
                configuration.base.path,
                expected: "the base of the checkpoint, \(checkpoint.baseParameterCount) parameters",
                found: "\(adapters.baseParameterCount) parameters")
        }
        try adapters.restoreParameters(from: checkpoint.parameters)
        try optimizer.restore(checkpoint.optimizer, for: adapters.parameters)
        if let average, let state = checkpoint.average { try average.restore(state, for: adapters.parameters) }
        step = checkpoint.step
        seconds = checkpoint.seconds
        routing = checkpoint.routing
    }

    /// Everything that the next step depends on.
    public func checkpoint() throws -> RunCheckpoint {
        RunCheckpoint(
            step: step, configuration: configuration.yaml,
            parameters: MemoryArchive(path: "this run", adapters.parameters.map { ($0.name, $0.parameter.value) }),
            optimizer: optimizer.state,
            average: average?.state, random: loader.random.state, epoch: loader.order.epoch,
            position: loader.order.position, sampleCount: dataset.records.count, seconds: seconds,
            baseParameterCount: adapters.baseParameterCount, fingerprints: fingerprints,
            routing: routing)
    }

    /// One optimizer step: accumulated gradients, clipping, update.
    ///
    /// Throws ``TrainingError/notFinite(_:)`` when the loss or the gradient is not a number and the
    /// configuration says to stop; the parameters are untouched then. Throws `FileError` when a picture cannot be
    /// read.
    public func advance() throws -> StepMetrics {
        // A step that fails was never begun: the checkpoint after it must draw the same batch again.
        let (order, random) = (loader.order, loader.random)
        do {
            return try takeStep()
        } catch {
            loader.move(to: order, random)
            throw error
        }
    }

    private func takeStep() throws -> StepMetrics {
        let begin = ContinuousClock.now
        let waited = loader.waitingSeconds
        let training = configuration.training
        let parameters = adapters.parameters
        for entry in parameters { entry.parameter.variable.clearGradient() }

        var runs: [MicroBatch] = []
        for _ in 0..<training.accumulate { runs.append(try accumulateGradients(share: 1 / Float(training.accumulate))) }
        let clip = configuration.optimizer.gradientClip
        let norm = Profile.phase("optimizer") {
            clipGradientNorm(parameters, maximum: clip > 0 ? clip : .infinity)
        }
        let rate = schedule(step)
        let report = RoutingStatistics.average(runs.map(\.routing))
        let hasMixtures = !report.isEmpty
        var metrics = StepMetrics(
            step: step + 1, loss: mean(runs.map(\.loss)), mse: mean(runs.map(\.meanSquaredError)),
            loadBalance: hasMixtures ? mean(runs.map(\.loadBalance)) : nil,
            routerZ: hasMixtures ? mean(runs.map(\.routerZ)) : nil, gradNorm: norm, learningRate: Double(rate),
            seconds: 0, samplesPerSecond: 0,
            load: hasMixtures
                ? Dictionary(uniqueKeysWithValues: report.map { ($0.layer, $0.load.map(Double.init)) }) : nil)
        let isFinite = metrics.loss.isFinite && norm.isFinite
        if training.stopOnNan && !isFinite { throw TrainingError.notFinite(metrics) }
        if isFinite {
            Profile.phase("optimizer") {
                optimizer.update(parameters, learningRate: rate)
                average?.update(parameters)
            }
        }
        metrics.d = (optimizer as? Prodigy)?.d
        step += 1
        routing = report
        metrics.seconds = begin.duration(to: .now) / .seconds(1)
        metrics.dataSeconds = loader.waitingSeconds - waited
        metrics.samplesPerSecond = Double(training.accumulate * training.batchSize) / metrics.seconds
        seconds += metrics.seconds
        return metrics
    }

    private struct MicroBatch {
        var loss: Double
        var meanSquaredError: Double
        var loadBalance: Double
        var routerZ: Double
        var routing: [RoutingStatistics]
    }

    private func accumulateGradients(share: Float) throws -> MicroBatch {
        let batch = try Profile.phase("data") { try loader.next() }
        let noisy = FlowMatching.interpolate(batch.clean, batch.noise, time: batch.time)
        let (velocity, side) = Profile.phase("forward") {
            AuxiliaryOutputs.collecting {
                transformer.velocity(
                    noisy, time: batch.time, batch.conditioning, precision: configuration.dtype)
            }
        }
        let report = adapters.routingReport(side)
        let error = configuration.objective.value.loss(
            velocity, clean: batch.clean, noise: batch.noise, time: batch.time)
        var loss = error
        if let moe = configuration.adapter.moe {
            loss = loss + report.loadBalance * Float(moe.loadBalanceWeight) + report.routerZ * Float(moe.routerZWeight)
        }
        Profile.phase("backward") { (loss * share).backward() }
        // The next sample's encoders have the memory of the blocks, where it is short.
        if encoders != nil { transformer.weightStream.leave() }
        return MicroBatch(
            loss: Double(loss.value.scalar), meanSquaredError: Double(error.value.scalar),
            loadBalance: Double(report.loadBalance.value.scalar), routerZ: Double(report.routerZ.value.scalar),
            routing: report.layers)
    }

    private func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(values.count) }
}

/// Why training stopped by itself.
public enum TrainingError: Error, CustomStringConvertible {
    /// The loss or the gradient is NaN or infinite.
    case notFinite(StepMetrics)

    /// One line.
    public var description: String {
        switch self {
        case .notFinite(let m):
            "step \(m.step): expected finite numbers, found loss \(m.loss) (mse \(m.mse)) and gradient norm "
                + "\(m.gradNorm ?? .nan); the step was not taken"
        }
    }
}
