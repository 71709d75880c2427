import ArgumentParser
import Foundation
import FuzzTargets

/// Gives every parser of files from outside inputs that are wrong in small ways, and says which of them break it.
///
///     diptych-fuzz --count 10000                   every parser, ten thousand inputs each
///     diptych-fuzz yaml --count 1000000 --seed 2   one parser
///     diptych-fuzz yaml --input crashes/yaml-….bin one input again
///
/// Parsers run in a process of their own; what ends it, or takes more than ten seconds of its time, is a crash: the input
/// is kept, the status is 1.
@main
struct DiptychFuzz: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "diptych-fuzz", abstract: "Gives the parsers of files from outside wrong inputs.")

    @Argument(help: "Parsers; all of them without any. --list names them.")
    var parsers: [String] = []

    @Flag(help: "Name the parsers.")
    var list = false

    @Option(help: "Inputs for each parser, those to begin from included.")
    var count = 1000

    @Option(help: "The same seed gives the same inputs.")
    var seed: UInt64 = 1

    @Option(help: "Where inputs that break a parser are kept.")
    var crashes = "fuzz-crashes"

    @Option(help: "Read this file once instead, in this process.")
    var input: String?

    @Option(help: .hidden)
    var worker: String?

    @Option(help: .hidden)
    var record: String?

    func run() throws {
        if list {
            for target in FuzzTarget.all { print(target.name) }
            return
        }
        let targets = try parsers.isEmpty ? FuzzTarget.all : parsers.map(Self.target)
        if let worker {
            guard let record else { throw ValidationError("--worker needs --record") }
            return try FuzzWorker(Self.target(worker), seed: seed, count: count, record: record).run()
        }
        if let input {
            guard targets.count == 1 else { throw ValidationError("--input needs one parser") }
            let folder = try FuzzFolder()
            _ = try targets[0].seedCount(folder)
            print(targets[0].outcome([UInt8](try Data(contentsOf: URL(filePath: input))), folder))
            return
        }
        var report = FuzzReport()
        for target in targets {
            try report.add(target, FuzzSupervisor(target.name, seed: seed, count: count, crashes: crashes).run())
        }
        report.printTotal()
        if report.crashes > 0 { throw ExitCode(1) }
    }

    private static func target(_ name: String) throws -> FuzzTarget {
        guard let target = FuzzTarget.all.first(where: { $0.name == name }) else {
            throw ValidationError("no parser '\(name)' (--list names them)")
        }
        return target
    }
}

/// What came of a parser's inputs.
struct FuzzResult: Codable {
    /// How many were read, and how many ended as none before.
    var count = 0, kinds = 0
    /// Seconds of the slowest, and its length.
    var slowest = 0.0, slowestLength = 0
    /// The most memory of the process above that before the first input, in bytes, and the length of the input at which it
    /// was reached.
    var memory = 0, memoryLength = 0
    /// Files with the inputs that broke the parser.
    var crashes: [String] = []
    /// Seconds in all.
    var seconds = 0.0
}

/// Lines on standard output.
struct FuzzReport {
    private var inputs = 0
    private var slowest = (name: "", seconds: 0.0)
    private var largest = (name: "", bytes: 0)
    private(set) var crashes = 0

    mutating func add(_ target: FuzzTarget, _ result: FuzzResult) {
        inputs += result.count
        crashes += result.crashes.count
        if result.slowest > slowest.seconds { slowest = (target.name, result.slowest) }
        if result.memory > largest.bytes { largest = (target.name, result.memory) }
        let name = target.name.padding(toLength: 20, withPad: " ", startingAt: 0)
        let worst = String(
            format: "slowest %.3f s (%d bytes), most memory %.1f MB (%d bytes)", result.slowest, result.slowestLength,
            Double(result.memory) / 1e6, result.memoryLength)
        let rate = Int(Double(result.count) / max(result.seconds, 1e-9))
        print(
            "\(name) \(result.count) inputs, \(result.kinds) kinds of ends, \(rate)/s, \(worst), \(result.crashes.count) crashes"
        )
        for crash in result.crashes { print("  \(crash)") }
        fflush(nil)
    }

    func printTotal() {
        let worst = String(
            format: "slowest %.3f s (%@), most memory %.1f MB (%@)", slowest.seconds, slowest.name,
            Double(largest.bytes) / 1e6, largest.name)
        print("\(inputs) inputs, \(worst), \(crashes) crashes")
    }
}
