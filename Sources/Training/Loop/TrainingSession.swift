import Foundation
import InContextEdit
public import Logging
public import TensorCore
import TensorIO

/// How a session ended.
public enum TrainingOutcome: Sendable, Equatable {
    /// All steps are done.
    case finished
    /// The caller asked to stop; the checkpoint holds everything.
    case interrupted
}

/// A trainer with its surroundings: the run's folder, the metric log, checkpoints, and the wish to stop.
///
/// ```swift
/// let session = try TrainingSession(RunConfiguration.load("run.yaml"))
/// let outcome = try session.run { print("\($0.done) of \($0.total)") }
/// ```
public final class TrainingSession<Settings: RunSettings> {
    /// What is trained.
    public let trainer: Trainer<Settings>
    /// Where everything is written.
    public let folder: RunFolder
    /// The latest checkpoint that this session wrote or began from.
    public private(set) var lastCheckpoint: String?

    private let run: OpenedRun<Settings>
    private let log: MetricLog
    private let firstStep: Int
    private let logger: Logger
    private var reportedPairs = 0
    private var isLogFull = false
    /// Seconds of this session's steps, and of these the ones spent waiting for samples.
    public private(set) var seconds = 0.0, dataSeconds = 0.0

    /// Begins the run of a configuration, or continues it from the checkpoint file `checkpoint`; see
    /// ``OpenedRun/init(_:resuming:)``.
    public convenience init(
        _ configuration: Settings, resuming checkpoint: String? = nil, acceptsChangedData: Bool = false,
        logger: Logger = .diptych
    ) throws {
        try self.init(
            OpenedRun(configuration, resuming: checkpoint), acceptsChangedData: acceptsChangedData, logger: logger)
    }

    /// Begins a run, or continues it.
    ///
    /// Throws what is wrong before any training: faults of the base and the data, or others than the run began with, unless
    /// `acceptsChangedData` (see ``Trainer/init(_:resuming:acceptsChangedData:checking:)``).
    /// `checking` is told of every pair that is decoded before the first step; `planning` sees the trainer before anything is
    /// written, and may refuse it, as it has to for a dry run. `logger` gets what goes wrong without ending the run.
    public init(
        _ run: OpenedRun<Settings>, acceptsChangedData: Bool = false, logger: Logger = .diptych,
        checking: @Sendable (WorkProgress) -> Void = { _ in },
        planning: (Trainer<Settings>) throws -> Void = { _ in }
    ) throws {
        self.run = run
        self.logger = logger
        folder = run.folder
        trainer = try Trainer(
            run.configuration, resuming: run.state, acceptsChangedData: acceptsChangedData, checking: checking)
        try planning(trainer)
        precondition(run.lock != nil, "a dry run that goes on")
        firstStep = trainer.step
        lastCheckpoint = run.checkpoint
        try createFolder(folder.checkpoints)
        folder.sweep()
        // One that says the same keeps the user's words.
        if (try? Settings.load(folder.configurationPath)) != run.configuration {
            try AtomicFile.write(to: folder.configurationPath) { try $0.write(Array(run.configuration.yaml.utf8)) }
        }
        log = try MetricLog(
            folder.metricsPath(run.configuration.output.metrics), resumingAfter: trainer.step,
            missing: run.state?.metrics ?? [])
    }

    /// How many lines of the metric log have found no room; the checkpoint has them.
    public var missingLines: Int { log.waiting.count }

    /// Trains until the last step or until `isStopped`, asked after each step, says so; either way a checkpoint is written.
    /// `progress` is told of every step, with the loss and, where there are mixtures, the load balance.
    ///
    /// A checkpoint that cannot be written on the way (a full disk) is reported and tried again later, while the earlier
    /// one stays; at the end it is an error. When a step fails (a picture that cannot be read, a loss that is not a
    /// number), the steps before it are saved, then the failure is thrown.
    public func run(
        progress: (WorkProgress) -> Void = { _ in }, isStopped: () -> Bool = { false }
    ) throws -> TrainingOutcome {
        let output = trainer.configuration.output
        let steps = trainer.configuration.training.steps
        var retryAt: Int?
        var lastTry = ContinuousClock.now
        let longest = output.checkpointMinutes > 0 ? Duration.seconds(output.checkpointMinutes * 60) : nil
        reportSkipped()
        while trainer.step < steps {
            var metrics: StepMetrics
            do {
                metrics = try trainer.advance()
            } catch {
                saveBefore(error)
                throw error
            }
            let interval = trainer.configuration.evaluationInterval
            if interval > 0, metrics.step % interval == 0 || metrics.step == steps {
                metrics.evaluation = try trainer.evaluate(in: folder)
            }
            record(metrics)
            seconds += metrics.seconds
            dataSeconds += metrics.dataSeconds ?? 0
            reportSkipped()
            progress(
                WorkProgress(
                    "steps", done: metrics.step, total: steps, found: firstStep, figures: metrics.figures))
            if isStopped() || metrics.step == steps { break }
            let isDue = output.checkpointEvery > 0 && metrics.step % output.checkpointEvery == 0
            let isLong = longest.map { lastTry.duration(to: .now) >= $0 } ?? false
            if isDue || isLong || metrics.step == retryAt {
                lastTry = .now
                do {
                    try save()
                    retryAt = nil
                } catch {
                    let every = output.checkpointEvery > 0 ? output.checkpointEvery : 100
                    let next = metrics.step + min(every, max(10, every / 10))
                    retryAt = next
                    logger.error("\(error); training goes on, next try at step \(min(next, steps))")
                }
            }
        }
        try save()
        return trainer.step < steps ? .interrupted : .finished
    }

    /// Says which pairs are left out, once each.
    private func reportSkipped() {
        let pairs = trainer.skippedSamples
        let most = 100
        for fault in pairs.prefix(most).dropFirst(reportedPairs) { logger.warn("\(fault)", kind: "skipped") }
        if pairs.count > most, reportedPairs <= most {
            logger.warn(
                "more pairs, which are not named (diptych data check names a hundred and counts all)", kind: "skipped")
        }
        reportedPairs = pairs.count
    }

    /// Keeps the steps that a failing one would otherwise take with it.
    private func saveBefore(_ failure: any Error) {
        guard trainer.step > firstStep, lastCheckpoint != folder.checkpointPath(step: trainer.step) else { return }
        do {
            try save()
            logger.warn("the \(trainer.step) steps before the failure, in \(lastCheckpoint ?? "")", kind: "saved")
        } catch {
            logger.error("\(error)")
        }
    }

    /// Writes a checkpoint of the present step and removes the oldest ones, and those of later steps.
    private func save() throws {
        let path = folder.checkpointPath(step: trainer.step)
        var state = try trainer.checkpoint()
        state.metrics = log.unsaved()
        try state.write(to: path)
        lastCheckpoint = path
        // Left by a session that went on from here before: of another future, and --resume would prefer them.
        folder.remove(folder.checkpointSteps().filter { $0 > trainer.step })
        folder.prune(keeping: trainer.configuration.output.keepCheckpoints)
    }

    /// Logs a step; lines that do not fit on the disk now are kept for later.
    private func record(_ metrics: StepMetrics) {
        guard metrics.step % max(trainer.configuration.output.logEvery, 1) == 0 || metrics.evaluation != nil else {
            return
        }
        do {
            try log.append(metrics)
            isLogFull = false
        } catch {
            if !isLogFull { logger.error("\(error); training goes on, the lines are kept") }
            isLogFull = true
        }
    }
}

extension StepMetrics {
    /// What a bar shows of a step.
    fileprivate var figures: [WorkProgress.Figure] {
        [.init("loss", loss)] + (loadBalance.map { [.init("balance", $0)] } ?? [])
    }
}
