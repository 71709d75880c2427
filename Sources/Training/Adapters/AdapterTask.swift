public import Adapters
public import Autograd
public import DiptychData
import Foundation
public import InContextEdit
public import Models
import NeuralNet
public import TensorCore
public import TensorIO

/// Trains adapters on a frozen pipeline.
public final class AdapterTask: TrainingTask {
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
    /// What is to be known of the weights that the run began with, one sentence each.
    public let notices: [String]
    /// What becomes of the pairs that their maker may not expect, one line a kind.
    public let notes: [String]
    /// How many samples this session took, and how many of them mirrored.
    public var sampleCount: (all: Int, mirrored: Int) { (loader.sampleCount, loader.mirroredCount) }
    /// Pairs that were left out or replaced because they are faulty, each once.
    public var skippedSamples: [FileError] { dataset.leftOut + loader.skipped }
    /// Seconds that steps have waited for samples.
    public var waitingSeconds: Double { loader.waitingSeconds }
    /// The adapters' parameters.
    public var parameters: [(name: String, parameter: Parameter)] { adapters.parameters }

    /// What tells the base and the pairs from others.
    let fingerprints: RunFingerprints
    let loader: DiptychLoader
    /// How many prompts the dataset has, the empty one among them; counted once, since a plan of memory is made for several
    /// ways. Every pair has its prompts: the encoder of samples was made with them.
    private(set) lazy var promptCount = try! dataset.distinctPrompts(configuration.drawOptions, loader.shapes).count

    /// Reads the base and the data, injects the adapters, and continues from `checkpoint` if there is one; see
    /// ``TrainingTask/init(_:resuming:acceptsChangedData:checking:)``.
    public init(
        _ configuration: RunConfiguration, resuming checkpoint: RunCheckpoint?, acceptsChangedData: Bool,
        checking: @Sendable (WorkProgress) -> Void
    ) throws {
        self.configuration = configuration
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
    }

    /// The place in the order of the pairs, and the generator of noise, times and dropped text.
    public struct Position {
        let order: EpochOrder
        let random: Random
    }

    /// The place in the stream of samples.
    public var position: Position {
        get { Position(order: loader.order, random: loader.random) }
        set { loader.move(to: newValue.order, newValue.random) }
    }

    /// Adds the place among the pairs, and what tells the base and the pairs from others.
    public func describe(in checkpoint: inout RunCheckpoint) {
        checkpoint.random = loader.random.state
        (checkpoint.epoch, checkpoint.position) = (loader.order.epoch, loader.order.position)
        checkpoint.sampleCount = dataset.records.count
        checkpoint.baseParameterCount = adapters.baseParameterCount
        checkpoint.fingerprints = fingerprints
    }

    /// Adds the gradient of the next batch of diptychs; see ``TrainingTask/accumulateGradients(share:)``.
    public func accumulateGradients(share: Float) throws -> BatchFigures {
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
        let hasMixtures = !report.layers.isEmpty
        return BatchFigures(
            loss: Double(loss.value.scalar), meanSquaredError: Double(error.value.scalar),
            loadBalance: hasMixtures ? Double(report.loadBalance.value.scalar) : nil,
            routerZ: hasMixtures ? Double(report.routerZ.value.scalar) : nil, routing: report.layers)
    }
}

/// What a trainer of adapters holds.
extension Trainer where Settings == RunConfiguration {
    /// The frozen model.
    public var transformer: FluxTransformer { task.transformer }
    /// The encoders; nil where a cache holds what they give.
    public var encoders: FrozenEncoders? { task.encoders }
    /// What is trained.
    public var adapters: AdapterSet { task.adapters }
    /// The pairs.
    public var dataset: PairDataset { task.dataset }
}
