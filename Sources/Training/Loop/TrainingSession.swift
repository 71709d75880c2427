import Foundation
import InContextEdit
import TensorIO

/// A trainer with its surroundings: the run's folder, the metric log, the progress bar, checkpoints and Ctrl-C.
public final class TrainingSession {
    /// How a session ended.
    public enum Outcome: Sendable, Equatable {
        /// All steps are done.
        case finished
        /// The user asked to stop; the checkpoint holds everything.
        case interrupted
    }

    /// What is trained.
    public let trainer: Trainer
    /// Where everything is written.
    public let folder: RunFolder
    /// The latest checkpoint that this session wrote or began from.
    public private(set) var lastCheckpoint: String?

    private let lock: RunFolder.Lock
    private let log: MetricLog
    private let firstStep: Int
    private var unlogged: [StepMetrics] = []
    private var reportedPairs = 0
    /// Seconds of this session's steps, and of these the ones spent waiting for samples.
    public private(set) var seconds = 0.0, dataSeconds = 0.0

    /// Begins the run of a configuration, or continues it from the checkpoint file `checkpoint`.
    ///
    /// Throws what is wrong before any training: faults of the configuration, the base, the data or the checkpoint, a
    /// run that already lies in the folder, or a configuration that is not the checkpoint's.
    /// `checking` is told how many pairs have been decoded before the first step, of how many; `planning` sees the trainer
    /// before anything is written, and may refuse it.
    public init(
        _ configuration: RunConfiguration, resuming checkpoint: String? = nil,
        checking: @Sendable (_ done: Int, _ total: Int) -> Void = { _, _ in },
        planning: (Trainer) throws -> Void = { _ in }
    ) throws {
        folder = RunFolder(configuration.output.folder)
        let continues = if let checkpoint { folder.holds(checkpoint) } else { false }
        if !continues { try folder.requireNoRun() }
        let state = try checkpoint.map { try RunCheckpoint(path: $0) }
        if let state, let checkpoint { try Self.check(configuration, against: state, at: checkpoint) }
        trainer = try Trainer(configuration, resuming: state, checking: checking)
        try planning(trainer)
        firstStep = trainer.step
        lastCheckpoint = checkpoint
        try folder.create()
        lock = try folder.lock()
        try folder.sweep()
        try AtomicFile.write(to: folder.configurationPath) { try $0.write(Array(configuration.yaml.utf8)) }
        let path = folder.metricsPath(configuration.output.metrics)
        log = try MetricLog(path, resumingAfter: trainer.step)
    }

    /// What may change between sessions without making it another run.
    private static let changeable = [
        "training.steps", "training.threads", "training.memory", "base.path", "base.transformer", "base.vae",
        "base.clip", "base.t5",
        "data.path", "data.also", "data.cache", "data.on_error", "data.check_first", "data.workers", "data.prefetch",
        "output",
    ]

    private static func check(_ configuration: RunConfiguration, against state: RunCheckpoint, at path: String) throws {
        let earlier = try RunConfiguration.parse(state.configuration, file: path)
        var changed = configuration.differences(from: earlier, ignoring: changeable)
        // A dataset may have moved, but what is chosen of it stays.
        func choices(_ run: RunConfiguration) -> [RunConfiguration.Dataset] {
            run.data.also.map { dataset in
                var dataset = dataset
                dataset.path = ""
                return dataset
            }
        }
        if choices(configuration) != choices(earlier) { changed.append("data.also (more than its paths)") }
        guard changed.isEmpty else {
            throw FileError(
                path, key: changed.joined(separator: ", "), expected: "the values that the run began with",
                found: "other values; only \(changeable.joined(separator: ", ")) may change on resuming")
        }
        let earlierCache = earlier.data.cache ?? "no cache", cache = configuration.data.cache ?? "no cache"
        guard
            (earlier.data.cache == nil) == (configuration.data.cache == nil)
                || configuration.data.cachePrecision == .float32
        else {
            throw FileError(
                path, key: "data.cache",
                expected: "\(earlierCache) as before, since a cache rounds (data.cache_precision)", found: cache)
        }
        guard state.step < configuration.training.steps else {
            throw FileError(
                path, key: "training.steps", expected: "more than the \(state.step) steps that are done",
                found: "\(configuration.training.steps)")
        }
    }

    /// Trains until the last step or until the user interrupts; either way a checkpoint is written.
    ///
    /// A checkpoint that cannot be written on the way (a full disk) is reported and tried again later, while the earlier
    /// one stays; at the end it is an error. When a step fails (a picture that cannot be read, a loss that is not a
    /// number), the steps before it are saved, then the failure is thrown.
    public func run(progress: ProgressBar) throws -> Outcome {
        let output = trainer.configuration.output
        let steps = trainer.configuration.training.steps
        defer { progress.finish() }
        var retryAt: Int?
        reportSkipped(progress)
        while trainer.step < steps {
            let metrics: StepMetrics
            do {
                metrics = try trainer.advance()
            } catch {
                saveBefore(error, progress)
                throw error
            }
            try record(metrics, progress)
            seconds += metrics.seconds
            dataSeconds += metrics.dataSeconds ?? 0
            reportSkipped(progress)
            progress.update(step: metrics.step, loss: metrics.loss, loadBalance: metrics.loadBalance)
            if Interruption.isRequested || metrics.step == steps { break }
            let isDue = output.checkpointEvery > 0 && metrics.step % output.checkpointEvery == 0
            if isDue || metrics.step == retryAt {
                do {
                    try save()
                    retryAt = nil
                } catch {
                    let next = metrics.step + min(output.checkpointEvery, max(10, output.checkpointEvery / 10))
                    retryAt = next
                    progress.print("error: \(error); training goes on, next try at step \(min(next, steps))")
                }
            }
        }
        try save()
        return trainer.step < steps ? .interrupted : .finished
    }

    /// Says which pairs are left out, once each.
    private func reportSkipped(_ progress: ProgressBar) {
        let pairs = trainer.skippedPairs
        for fault in pairs.dropFirst(reportedPairs) { progress.print("skipped: \(fault)") }
        reportedPairs = pairs.count
    }

    /// Keeps the steps that a failing one would otherwise take with it.
    private func saveBefore(_ failure: any Error, _ progress: ProgressBar) {
        guard trainer.step > firstStep, lastCheckpoint != folder.checkpointPath(step: trainer.step) else { return }
        do {
            try save()
            progress.print("saved the \(trainer.step) steps before the failure: \(lastCheckpoint ?? "")")
        } catch {
            progress.print("error: \(error)")
        }
    }

    /// Writes a checkpoint of the present step and removes the oldest ones, and those of later steps.
    private func save() throws {
        let path = folder.checkpointPath(step: trainer.step)
        try trainer.checkpoint().write(to: path)
        lastCheckpoint = path
        // Left by a session that went on from here before: of another future, and --resume would prefer them.
        folder.remove(folder.checkpointSteps().filter { $0 > trainer.step })
        folder.prune(keeping: trainer.configuration.output.keepCheckpoints)
    }

    /// Logs a step; lines that do not fit on the disk now are kept for later.
    private func record(_ metrics: StepMetrics, _ progress: ProgressBar) throws {
        let output = trainer.configuration.output
        if metrics.step % max(output.logEvery, 1) == 0 { unlogged.append(metrics) }
        do {
            while let next = unlogged.first {
                try log.append(next)
                unlogged.removeFirst()
            }
        } catch {
            if unlogged.count == 1 { progress.print("error: \(error); training goes on") }
        }
    }
}
