import ArgumentParser
import DiptychData
import Foundation
import Logging
import Models
import TensorCore
import TensorIO
import Training

/// `diptych data encode --config CONFIG`
struct EncodeCommand: Subcommand {
    static let configuration = CommandConfiguration(
        commandName: "encode",
        abstract: "Runs the frozen encoders once over the data of a configuration, for training without them.",
        discussion: """
            Latents and text embeddings go to the folder that data.cache names, or -o. An encoding that was \
            interrupted, by Ctrl-C or in any other way, is finished by the same command; what is there is read once, \
            and samples whose checksums are wrong are named and encoded anew. A cache that no longer fits the data, the \
            encoders or the configuration is refused by name.
            """,
        examples: [
            CommandExample("into the folder that data.cache names", "diptych data encode --config run.yaml"),
            CommandExample(
                "somewhere else, then training from there", "diptych data encode --config run.yaml -o Caches/mine"),
        ])

    @OptionGroup var common: CommonOptions

    @Option(name: .long, help: "A YAML configuration.", completion: .file(extensions: ["yaml", "yml"]))
    var config: String

    @OptionGroup var overrides: OverrideOptions

    @Option(name: .output, help: "The folder, instead of data.cache.", completion: .directory)
    var output: String?

    @Flag(name: .long, help: "Replace a cache that does not fit.")
    var overwrite = false

    func run() throws {
        Interruption.ignoreClosedPipes()
        let run = try RunConfiguration.load(config, overrides: overrides.all)
        // A configuration that trains from no cache may augment.
        var cached = run
        cached.data.cache = output ?? run.data.cache
        guard let folder = cached.data.cache else {
            throw ConfigurationError([
                .init(
                    config, key: "data.cache", message: "expected a folder for the cache (or --output), found nothing")
            ])
        }
        try cached.validate(source: config)
        try cached.validateFiles(source: config)
        Threads.set(cached.training.threads)
        let dataset = try cached.openDataset()
        let skips = cached.data.onError == .skip
        if skips { report(dataset.leftOut) }
        let writer = try SampleCacheWriter(
            dataset, cached.base.parts, cached.pipelineEncoders, options: cached.encoderOptions,
            precision: cached.cachePrecision)
        let notes = PairNotes(
            dataset, PanelShapes(cached.panelShapes, of: dataset),
            cached.noteSettings(try cached.base.parts.loadTokenizers()))
        for line in notes.lines { note(line) }
        Interruption.install(notice: .encoding)
        let begin = ContinuousClock.now
        let outcome = try writer.write(
            to: folder, overwrites: overwrite, skipsFaults: skips, workers: max(1, cached.data.workers),
            progress: ProgressBar().show, isStopped: { Interruption.isRequested })
        if let line = PairNotes.note(transparent: outcome.transparentPictures, on: cached.data.background) {
            note(line)
        }
        report(outcome.damaged, as: "damaged")
        report(outcome.leftOut)
        let seconds = String(format: "%.1f", begin.duration(to: .now) / .seconds(1))
        guard outcome.isFinished else {
            print("stopped after \(outcome.done.grouped) of \(outcome.total.grouped); the same command goes on")
            throw ExitCode(Interruption.exitStatus)
        }
        let left = outcome.leftOut.isEmpty ? "" : ", \(outcome.leftOut.count.grouped) pairs left out"
        let mended = outcome.damaged.isEmpty ? "" : ", what was damaged encoded anew"
        print("\(dataset.records.count.grouped) pairs encoded in \(seconds) s\(left)\(mended): \(folder)")
    }

    private func report(_ faults: [FileError], as what: String = "skipped") {
        for line in faultLines(faults) { Logger.diptych.warn(line, kind: what) }
    }
}
