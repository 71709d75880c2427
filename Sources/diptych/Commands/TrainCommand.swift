import Adapters
import ArgumentParser
import DiptychData
import Foundation
import InContextEdit
import Models
import TensorCore
import TensorIO
import Training

/// `diptych train CONFIG|RUN [--resume | --resume-if-there]`
struct TrainCommand: Subcommand {
    static let configuration = CommandConfiguration(
        commandName: "train",
        abstract: "Trains an adapter as a configuration says, or continues a run.",
        discussion: """
            Ctrl-C, 'kill' and a terminal that closes finish the step, save a checkpoint and leave with status 130, 143 or \
            129. A resumed run gives the same losses as one that was never stopped, bit for bit at the same number of threads.

            A run is what lies in the folder that is named: a renamed or copied one goes on there, by its config.yaml, of \
            which steps, rates, intervals, paths and what changes no result may be edited. The base and the data may have \
            moved, but must be the same.
            """,
        examples: [
            CommandExample("begin", "diptych train run.yaml"),
            CommandExample("what it will need, before it begins", "diptych train run.yaml --dry-run"),
            CommandExample(
                "a short trial with other values",
                "diptych train run.yaml --set training.steps=50 --set output.folder=Runs/trial"),
            CommandExample("go on where it stopped", "diptych train Runs/mine --resume"),
            CommandExample(
                "begin with trained weights", "diptych train run.yaml --set adapter.start_from=style.safetensors"),
        ])

    @OptionGroup var common: CommonOptions

    @Argument(
        help: "A YAML configuration; to go on also a run's folder or a checkpoint.",
        completion: .file(extensions: ["yaml", "yml", "h5"]))
    var source: String

    @OptionGroup var overrides: OverrideOptions

    @Flag(name: .long, help: "Continue from the run's latest checkpoint, or from the one that is named.")
    var resume = false

    @Flag(name: .long, help: "Continue where there is a checkpoint, begin where there is none.")
    var resumeIfThere = false

    @Flag(
        name: .long,
        help: "Go on although pairs have changed, as when a picture was mended; their number must be the same.")
    var changedData = false

    @Flag(name: .long, help: "At the end, print where the time went by operation, and the memory by phase.")
    var profile = false

    @OptionGroup var memory: MemoryOptions

    func validate() throws {
        if resume, resumeIfThere { throw ValidationError("--resume: expected one of --resume and --resume-if-there") }
        guard resume || resumeIfThere || RunRequest.isConfiguration(source) else {
            throw ValidationError("'\(source)' is no YAML file; to continue a run add --resume")
        }
    }

    func run() throws {
        Interruption.ignoreClosedPipes()
        let opened = try OpenedRun(
            RunRequest(
                source, overrides: overrides.all,
                continuation: resume ? .always : resumeIfThere ? .ifThere : .never, isDryRun: memory.dryRun))
        for notice in opened.notices { note(notice) }
        let configuration = opened.configuration
        if opened.isFinished, !memory.dryRun, let state = opened.state, let checkpoint = opened.checkpoint {
            try opened.completeMetrics()
            print(
                "finished   all \(configuration.training.steps.grouped) steps are done"
                    + (state.step > configuration.training.steps ? " (\(state.step.grouped))" : "")
                    + "; a larger training.steps goes on")
            print("checkpoint: \(checkpoint)")
            return
        }
        try configuration.validateFiles(source: opened.source, isResuming: opened.checkpoint != nil)
        let session = try TrainingSession(
            opened, acceptsChangedData: changedData, checking: ProgressBar().show, planning: plan)
        Interruption.install()
        describe(session, opened)
        session.trainer.task.notices.forEach(note)
        let bar = ProgressBar()
        func train() throws -> TrainingOutcome {
            defer { bar.finish() }
            return try session.run(progress: bar.show, isStopped: { Interruption.isRequested })
        }
        let measured = Profile()
        let begin = ContinuousClock.now
        let outcome = profile ? try measured.record(train) : try train()
        if profile { print(measured.table(total: begin.duration(to: .now) / .seconds(1))) }
        if !session.trainer.routing.isEmpty { print(RoutingTable(session.trainer.routing).text) }
        if configuration.data.mirror > 0 {
            let count = session.trainer.task.sampleCount
            print("mirrored \(count.mirrored.grouped) of \(count.all.grouped) samples")
        }
        if session.seconds > 0 {
            let share = String(format: "%.2f", session.dataSeconds / session.seconds * 100)
            print("waited for data: \(share) % of the time")
        }
        print("checkpoint: \(session.lastCheckpoint ?? "none")")
        if session.missingLines > 0 {
            print(
                "\(session.missingLines.grouped) lines of \(configuration.output.metrics) found no room on the disk; the "
                    + "checkpoint has them, and --resume writes them")
        }
        if outcome == .interrupted {
            let folder = configuration.output.folder
            let isWord = folder.allSatisfy { $0.isLetter || $0.isNumber || "_./-+".contains($0) }
            let word = isWord ? folder : "'" + folder.replacing("'", with: #"'\''"#) + "'"
            print("stopped at step \(session.trainer.step); continue with: diptych train \(word) --resume")
            throw ExitCode(Interruption.exitStatus)
        }
    }

    /// Chooses how to keep within the budget of memory; leaves where only the plan was asked for.
    private func plan(_ trainer: Trainer<RunConfiguration>) throws {
        let choice = try memory.choose(
            trainer.configuration.training.memory.flatMap { ByteCount($0) },
            tiling: trainer.configuration.pipelineEncoders.tiling, isVerbose: common.verbose
        ) { isStreamed, tiling in
            trainer.task.memoryPlan(isStreamed: isStreamed, tiling: tiling)
        }
        if memory.dryRun { throw ExitCode.success }
        if let choice {
            trainer.task.adopt(choice)
            MemoryAccount.ownedLimit = choice.ownedLimit
        }
    }

    private func describe(_ session: TrainingSession<RunConfiguration>, _ opened: OpenedRun<RunConfiguration>) {
        if common.quiet { return }
        let trainer = session.trainer
        let configuration = trainer.configuration
        let adapters = trainer.adapters
        let share = String(format: "%.2f", adapters.shareOfBase * 100)
        print("base       \(configuration.base.path), \(adapters.baseParameterCount.grouped) parameters, frozen")
        print(
            "adapter    \(adapters.parameterCount.grouped) parameters (\(share) % of the base) in \(adapters.members.count) layers, "
                + "\(adapters.mixtureParameterCount.grouped) of them in \(adapters.mixtures.count) mixtures")
        let cache = configuration.data.cache.map { ", encoded in \($0)" } ?? ""
        print(
            "data       \(configuration.datasetPaths.joined(separator: ", ")), "
                + "\(trainer.dataset.records.count.grouped) pairs\(cache)")
        print(
            "run        \(configuration.training.steps.grouped) steps of "
                + "\(configuration.training.batchSize * configuration.training.accumulate) samples, "
                + "\(configuration.optimizer.name.rawValue), \(configuration.base.precision.rawValue), "
                + "\(Threads.count) \(Threads.count == 1 ? "thread" : "threads"), seed \(configuration.training.seed)")
        if let checkpoint = opened.checkpoint { print("resuming   after step \(trainer.step), from \(checkpoint)") }
        for change in opened.changes { print("changed    \(change.key): \(change.now), before \(change.before)") }
        if common.verbose { print(configuration.yaml) }
        for line in trainer.task.notes { note(line) }
        // Into a file or a pipe these lines would otherwise come after those of the progress.
        fflush(nil)
    }
}
