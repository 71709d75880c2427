public import Adapters
import Autograd
import Optimizers
public import TensorCore
public import TensorIO

/// Takes the steps of a run: one object from the configuration to the last checkpoint, whatever is trained.
///
/// A run is a function of its configuration. Everything that the next step depends on is in ``checkpoint()``, so a
/// resumed run gives the same losses as one that was never stopped, bit for bit at the same number of threads.
public final class Trainer<Settings: RunSettings> {
    /// What decides the run.
    public let configuration: Settings
    /// What is trained, and what it learns from.
    public let task: Settings.Task
    /// Steps done.
    public private(set) var step = 0
    /// Seconds of training, over all sessions.
    public private(set) var seconds = 0.0
    /// The routing of the last step; empty without mixtures.
    public private(set) var routing: [RoutingStatistics] = []
    /// Samples that were left out or replaced because they are faulty, each once.
    public var skippedSamples: [FileError] { task.skippedSamples }

    private let optimizer: any Optimizer
    private let average: ExponentialMovingAverage?
    private let schedule: LearningRateSchedule

    /// Makes what is trained, and continues from `checkpoint` if there is one.
    ///
    /// Throws what is wrong with the configuration, the files or the checkpoint before any training.
    ///
    /// `acceptsChangedData` goes on although the samples are not those that the run began with, as when a picture has been
    /// mended; their number must be. `checking` is told of every sample that is looked at before the first step.
    public init(
        _ configuration: Settings, resuming checkpoint: RunCheckpoint? = nil, acceptsChangedData: Bool = false,
        checking: @Sendable (WorkProgress) -> Void = { _ in }
    ) throws {
        self.configuration = configuration
        Threads.set(configuration.training.threads)
        task = try Settings.Task(
            configuration, resuming: checkpoint, acceptsChangedData: acceptsChangedData, checking: checking)
        optimizer = configuration.makeOptimizer()
        schedule = configuration.learningRateSchedule
        average = configuration.training.emaDecay.map { ExponentialMovingAverage(decay: $0) }
        guard let checkpoint else { return }
        try optimizer.restore(checkpoint.optimizer, for: task.parameters)
        if let average, let state = checkpoint.average { try average.restore(state, for: task.parameters) }
        step = checkpoint.step
        seconds = checkpoint.seconds
        routing = checkpoint.routing
    }

    /// Everything that the next step depends on.
    public func checkpoint() throws -> RunCheckpoint {
        var checkpoint = RunCheckpoint(
            step: step, configuration: configuration.yaml,
            parameters: MemoryArchive(path: "this run", task.parameters.map { ($0.name, $0.parameter.value) }),
            optimizer: optimizer.state, average: average?.state, seconds: seconds, routing: routing)
        task.describe(in: &checkpoint)
        return checkpoint
    }

    /// Measures the model as it would be exported: with the average's weights where the run keeps one.
    public func evaluate(in folder: RunFolder) throws -> [String: Double] {
        guard let average else { return try task.evaluate(step: step, in: folder) }
        return try average.withAverages(of: task.parameters) { try task.evaluate(step: step, in: folder) }
    }

    /// One optimizer step: accumulated gradients, clipping, update.
    ///
    /// Throws ``TrainingError/notFinite(_:)`` when the loss or the gradient is not a number and the
    /// configuration says to stop; the parameters are untouched then. Throws `FileError` when a picture cannot be
    /// read.
    public func advance() throws -> StepMetrics {
        // A step that fails was never begun: the checkpoint after it must draw the same batch again.
        let position = task.position
        do {
            return try takeStep()
        } catch {
            task.position = position
            throw error
        }
    }

    private func takeStep() throws -> StepMetrics {
        let begin = ContinuousClock.now
        let waited = task.waitingSeconds
        let training = configuration.training
        let parameters = task.parameters
        for entry in parameters { entry.parameter.variable.clearGradient() }

        var batches: [BatchFigures] = []
        for _ in 0..<training.accumulate {
            batches.append(try task.accumulateGradients(share: 1 / Float(training.accumulate)))
        }
        let clip = configuration.optimizer.gradientClip
        let norm = Profile.phase("optimizer") {
            clipGradientNorm(parameters, maximum: clip > 0 ? clip : .infinity)
        }
        let rate = schedule(step)
        let figures = BatchFigures.average(batches)
        var metrics = StepMetrics(step: step + 1, figures, gradNorm: norm, learningRate: Double(rate))
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
        routing = figures.routing
        metrics.seconds = begin.duration(to: .now) / .seconds(1)
        metrics.dataSeconds = task.waitingSeconds - waited
        metrics.samplesPerSecond = Double(training.accumulate * training.batchSize) / metrics.seconds
        seconds += metrics.seconds
        return metrics
    }
}

/// Why training stopped by itself.
public enum TrainingError: Error, CustomStringConvertible {
    /// The loss or the gradient is NaN or infinite.
    case notFinite(StepMetrics)

    /// One line.
    public var description: String {
        switch self {
        case .notFinite(let m):
            "step \(m.step): expected finite numbers, found loss \(m.loss)"
                + (m.mse.map { " (mse \($0))" } ?? "")
                + " and gradient norm \(m.gradNorm ?? .nan); the step was not taken"
        }
    }
}
