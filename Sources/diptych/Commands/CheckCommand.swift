import ArgumentParser
import DiptychData
import Foundation
import Synchronization
import TensorCore
import TensorIO
import Training

/// `diptych data check PATH`
struct CheckCommand: Subcommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Reads every pair of a dataset once and reports every fault with its place.",
        discussion: """
            Faults are pictures that are missing or cannot be decoded, panels of different sizes, empty instructions, \
            text that is no JSON, pairs that are there twice; of a cache, values whose checksums are wrong. The status is \
            1 when there are any.
            """,
        examples: [
            CommandExample("every fault of a dataset", "diptych data check Datasets/mine"),
            CommandExample(
                "a dataset with names of its own",
                "diptych data check Datasets/theirs --column source=src_img --column instruction=prompt"),
        ])

    @OptionGroup var common: CommonOptions

    @Argument(
        help: "A dataset: a folder with a list, shards or pictures, a list (.jsonl, .csv), a shard (.tar); or a cache.",
        completion: .file())
    var path: String

    @OptionGroup var dataset: DatasetOptions

    @Option(name: .long, parsing: .unconditional, help: "Threads; 0 for one a processor.")
    var threads = 0

    func validate() throws {
        if threads < 0 { throw ValidationError("--threads: expected 0 or more, found \(threads)") }
    }

    func run() throws {
        Threads.set(threads)
        if SampleCacheCheck.isCache(path) { return try checkCache() }
        let line = Mutex<ProgressLine?>(nil)
        let check = try DatasetCheck(path: path, reading: dataset.reading, isEvaluation: dataset.evaluation) {
            done, total in
            line.withLock { line in
                if line == nil { line = ProgressLine(total: total, of: "pairs") }
                line?.show(done)
            }
        }
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
        try report(check.faults)
    }

    private func checkCache() throws {
        var line: ProgressLine?
        let check = try SampleCacheCheck(folder: path) { done, total in
            if line == nil { line = ProgressLine(total: total, of: "files") }
            line?.show(done)
        }
        print(
            "\(path): a cache of \(check.pairCount.grouped) pairs and \(check.textCount.grouped) prompts, "
                + "\(megabytes(check.byteCount)) MB")
        try report(check.faults)
    }

    private func megabytes(_ byteCount: Int) -> String { String(format: "%.1f", Double(byteCount) / 1e6) }

    /// Prints what is wrong; the status is 1 when there is anything.
    private func report(_ faults: [FileError]) throws {
        if faults.isEmpty {
            print("\nno faults")
            return
        }
        fflush(nil)
        _ = StandardStream.error.write(faultLines(faults).map { "error: \($0)\n" }.joined())
        print("\n\(faults.count.grouped) \(faults.count == 1 ? "fault" : "faults")")
        throw ExitCode(1)
    }
}
