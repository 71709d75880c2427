import ArgumentParser
import DiptychData
import Foundation
import InContextEdit
import Logging
import Models
import TensorCore
import TensorIO
import Training

/// `diptych data check PATH`
struct CheckCommand: Subcommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Reads every pair of a dataset once and reports every fault with its place.",
        discussion: """
            Faults are what training refuses: pictures that are missing or cannot be decoded, targets of other proportions \
            than their source, empty instructions, text that is no JSON; of a cache, values whose checksums are wrong. The \
            status is 1 when there are any. Notes are what training takes but changes: pictures that are squashed, \
            enlarged or have transparent parts, prompts that are cut, pairs that are there twice.
            """,
        examples: [
            CommandExample("every fault of a dataset", "diptych data check Datasets/mine"),
            CommandExample(
                "a dataset with names of its own",
                "diptych data check Datasets/theirs --column source=src_img --column instruction=prompt"),
            CommandExample("what a run would say of its data", "diptych data check --config run.yaml"),
            CommandExample("for a program", "diptych data check Datasets/mine --json"),
        ])

    @OptionGroup var common: CommonOptions

    @Argument(
        help: """
            A dataset: a folder with a list, shards or pictures, a list (.jsonl, .csv), a shard (.tar); or a cache. With \
            --config the run's datasets if not said.
            """, completion: .file())
    var path: String?

    @OptionGroup var dataset: DatasetOptions

    @Option(
        name: .long, help: "A run's configuration, for its names, choices, panels, prompts and tokenizers.",
        completion: .file(extensions: ["yaml", "yml"]))
    var config: String?

    @Option(name: .long, help: "A pipeline folder, whose tokenizers tell which words of a prompt are lost.")
    var base: String?

    @Flag(name: .long, help: "Print JSON, with every fault and note.")
    var json = false

    @OptionGroup var threads: ThreadOptions

    func validate() throws {
        if path == nil, config == nil { throw ValidationError("expected a dataset or --config, found neither") }
    }

    func run() throws {
        threads.apply()
        if let path, SampleCacheCheck.isCache(path) { return try checkCache(path) }
        let run = try config.map { try RunConfiguration.load($0) }
        let parts = base.map { PipelineParts(folder: $0) } ?? run?.base.parts
        let tokenizers = try parts?.loadTokenizers()
        let settings =
            run?.noteSettings(tokenizers)
            ?? {
                var settings = PairNotes.Settings()
                settings.tokenizers = tokenizers
                return settings
            }()
        let paths = path.map { [$0] } ?? run?.datasetPaths ?? []
        var checks: [(path: String, check: DatasetCheck)] = []
        for (number, path) in paths.enumerated() {
            let reading = dataset.applied(to: run?.reading(ofDataset: number) ?? PairReading())
            let check = try check(path, reading, run?.panelShapes, settings)
            if !json { describe(path, check, isFirst: number == 0) }
            checks.append((path, check))
        }
        try report(
            checks.flatMap(\.check.faults),
            of: checks.map { CheckReport.Dataset($0.path, $0.check, isEvaluation: dataset.evaluation) })
    }

    private func check(
        _ path: String, _ reading: PairReading, _ shapes: [DiptychGeometry]?, _ settings: PairNotes.Settings
    ) throws -> DatasetCheck {
        return try DatasetCheck(
            path: path, reading: reading, isEvaluation: dataset.evaluation,
            shapes: shapes ?? RunConfiguration(basePath: "", dataPath: path, outputFolder: "").panelShapes,
            settings: settings, progress: ProgressBar().show)
    }

    /// Prints what a dataset holds.
    private func describe(_ path: String, _ check: DatasetCheck, isFirst: Bool) {
        if !isFirst { print("") }
        print("\(path): \(check.pairCount.grouped) pairs, \(megabytes(check.byteCount)) MB of pictures")
        if dataset.evaluation {
            print(
                "\(check.targetCount.grouped) with a target, \(check.maskCount.grouped) with a mask, "
                    + "\(check.sessionCount.grouped) sessions")
        }
        for (title, rows) in [("task", check.tasks), ("size", check.sizes)] where !rows.isEmpty {
            let most = rows[0].count
            let width = rows.prefix(20).map { printable($0.name).count }.max() ?? 0
            print("\n\(title)")
            for row in rows.prefix(20) {
                let bar = String(repeating: "#", count: max(1, row.count * 40 / most))
                let name = printable(row.name).padding(toLength: width, withPad: " ", startingAt: 0)
                print(
                    "  \(name)  \(String(repeating: " ", count: max(0, 9 - row.count.grouped.count)))\(row.count.grouped)  \(bar)"
                )
            }
            if rows.count > 20 { print("  and \(rows.count - 20) more") }
        }
        fflush(nil)
        for line in check.notes { note(line) }
    }

    private func checkCache(_ path: String) throws {
        let check = try SampleCacheCheck(folder: path, progress: ProgressBar().show)
        if !json {
            print(
                "\(path): a cache of \(check.pairCount.grouped) pairs and \(check.textCount.grouped) prompts, "
                    + "\(megabytes(check.byteCount)) MB")
        }
        try report(check.faults, of: [CheckReport.Dataset(path, check)])
    }

    private func megabytes(_ byteCount: Int) -> String { String(format: "%.1f", Double(byteCount) / 1e6) }

    /// Prints what is wrong; the status is 1 when there is anything.
    private func report(_ faults: [FileError], of datasets: [CheckReport.Dataset]) throws {
        if json {
            try print(JSONText.of(CheckReport(datasets: datasets, faults: faults.map(CheckReport.Fault.init))))
            if !faults.isEmpty { throw ExitCode(1) }
            return
        }
        if faults.isEmpty {
            print("\nno faults")
            return
        }
        fflush(nil)
        for line in faultLines(faults) { Logger.diptych.error("\(line)") }
        print("\n\(faults.count.grouped) \(faults.count == 1 ? "fault" : "faults")")
        throw ExitCode(1)
    }
}
