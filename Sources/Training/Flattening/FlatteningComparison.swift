public import Adapters
public import InContextEdit
import Models
public import TensorCore
public import TensorIO

/// Every way to make a plain LoRA of an adapter with mixtures of experts, judged by the transformer's output on samples that
/// the conversion has not seen.
///
/// ```swift
/// let calibration = try FlatteningCalibration(
///     encoder, pipeline: pipeline, count: 16, heldOutCount: 8, seed: 42, guidance: 1, precision: .float32)
/// let comparison = try FlatteningComparison(adapters, rank: 32, calibration: calibration, pipeline: pipeline)
/// let lora = comparison.adapters(comparison.best.method)
/// ```
public struct FlatteningComparison {
    /// How near one way of making a plain LoRA comes to the mixtures.
    public struct Result: Sendable {
        /// The way.
        public let method: FlatteningMethod
        /// The rank of the LoRAs.
        public let rank: Int
        /// The error of the transformer's output over the output.
        public let outputError: Double
        /// The same over what the adapter changes of the output.
        public let effectError: Double
        /// The error of each mixture's output.
        public let layers: [MoEFlattening.LayerReport]
    }

    /// The mixtures, taken out of the transformer.
    public let adapters: AdapterSet
    /// What the mixtures did in the runs to learn from, by layer.
    public let statistics: [String: MixtureStatistics]
    /// One for each way.
    public let results: [Result]

    private let conversion: MoEFlattening
    private let naming: AdapterNaming
    private let rank: Int

    /// The way whose output is nearest to that of the mixtures.
    public var best: Result { results.min { $0.outputError < $1.outputError }! }

    /// Runs the transformer of `pipeline` with the mixtures, without them, and with each plain LoRA of at most `rank` in their
    /// place. Takes `adapters` out of the transformer. `progress` is told of every run.
    ///
    /// Throws `FileError` when an activation or a velocity is not finite.
    public init(
        _ adapters: AdapterSet, rank: Int, calibration: FlatteningCalibration, pipeline: EditPipeline,
        progress: (WorkProgress) -> Void = { _ in }
    ) throws {
        let methods = FlatteningMethod.allCases
        let counts = calibration.counts
        var state = WorkProgress("runs", total: counts.calibration + (2 + methods.count) * counts.heldOut)
        func step() {
            state.done += 1
            progress(state)
        }
        let (_, learned) = try adapters.collectingStatistics { try calibration.calibrate(adapters, progress: step) }
        let (truths, seen) = try adapters.collectingStatistics { try calibration.predict(adapters, progress: step) }
        for layer in (adapters.mixtures.map(\.layer)) where !(learned[layer]!.isFinite && seen[layer]!.isFinite) {
            throw FileError(
                adapters.path ?? "adapter", key: layer, expected: "finite activations", found: "NaN or infinite ones")
        }
        adapters.strength = 0
        let plain = try calibration.predict(adapters, progress: step)
        adapters.strength = 1
        adapters.remove()

        let conversion = MoEFlattening(adapters, statistics: learned)
        let naming = AdapterNaming.flux(pipeline.transformer.configuration)
        results = try methods.map { method in
            let set = try AdapterSet(
                conversion.adapters(method, rank: rank, naming: naming), into: pipeline.transformer)
            let guesses = try calibration.predict(set, progress: step)
            set.remove()
            return Result(
                method: method, rank: method == .averageFactors ? adapters.mixtures[0].rank : rank,
                outputError: FlatteningCalibration.relativeError(guesses, truths),
                effectError: FlatteningCalibration.relativeError(guesses, truths, besides: plain),
                layers: conversion.reports(method, rank: rank, on: seen))
        }
        self.adapters = adapters
        self.rank = rank
        self.conversion = conversion
        self.naming = naming
        statistics = learned
    }

    /// The plain LoRAs that a way makes.
    public func adapters(_ method: FlatteningMethod) -> AdapterFile {
        conversion.adapters(method, rank: rank, naming: naming)
    }
}
