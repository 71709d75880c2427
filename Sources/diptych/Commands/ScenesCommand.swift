public import ArgumentParser
public import DiptychData
import Foundation
import TensorCore
import TensorIO

/// `diptych data scenes --count N --size 64 --level 1 --seed 1 -o DIR`
struct ScenesCommand: Subcommand {
    static let configuration = CommandConfiguration(
        commandName: "scenes",
        abstract: "Makes pairs of a generated world, with exact ground truth, as WebDataset shards.",
        discussion: """
            Ten kinds of edit take turns: \(SceneTask.allCases.map(\.rawValue).joined(separator: ", ")).
            Level 1 has one or two things of six kinds in six colors on a grid of 3 x 2 places; level 2 has all kinds, \
            sizes, overlaps and styles; level 3 has photographs as backgrounds and patches.
            The same seed gives the same bytes, whatever the number of threads. A run that was interrupted is finished \
            by the same command. The parts train, validation and test share no scene.
            """,
        examples: [
            CommandExample(
                "pairs to train on, and others of the same world to judge by",
                "diptych data scenes --count 50000 --size 64 --level 1 --seed 1 -o Datasets/scenes"),
            CommandExample(
                "the test part of the same world",
                "diptych data scenes --count 500 --level 1 --seed 1 --split test -o Datasets/scenes-test"),
        ])

    @OptionGroup var common: CommonOptions

    @Option(name: .long, parsing: .unconditional, help: "The number of pairs.")
    var count: Int

    @Option(
        name: .output, help: "Where the shards go: a new or empty folder, or one that was begun.",
        completion: .directory)
    var output: String?

    @Option(name: .long, parsing: .unconditional, help: "Side of a panel in pixels, a multiple of 16.")
    var size = 64

    @Option(
        name: .long, parsing: .unconditional, help: "What the world is composed of: 1, 2 or 3.",
        completion: .list(["1", "2", "3"]))
    var level = 1

    @Option(name: .long, parsing: .unconditional, help: "What all that is random depends on.")
    var seed: UInt64 = 0

    @Option(name: .long, help: "The part of the world: \(SceneSplit.allCases.map(\.rawValue).joined(separator: ", ")).")
    var split: SceneSplit = .train

    @Option(
        name: .long, help: .init("Kinds of edit to make, by commas; all unless told.", valueName: "kind,kind"),
        completion: .list(SceneTask.allCases.map(\.rawValue)))
    var kinds: String?

    @Option(name: .long, help: "A folder of photographs (PNG, JPEG or WebP), for level 3.", completion: .directory)
    var photos: String?

    @Option(
        name: .long,
        help: "How panels are stored: png, or jpg of quality 95. By default jpg from 128 pixels on, png below.")
    var format: PanelFormat?

    @Option(name: .long, parsing: .unconditional, help: "Pairs in a shard.")
    var shard = 1000

    @OptionGroup var threads: ThreadOptions

    @Flag(name: .long, help: "Replace scenes that are in the folder already.")
    var overwrite = false

    @Flag(
        name: .long,
        help: "Write nothing: print how many right and wrong results of the edits the oracle lets pass.")
    var checkOracle = false

    private func options() throws -> SceneGenerator.Options {
        let tasks = try (kinds?.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) })?.map { name in
            guard let task = SceneTask(rawValue: name) else {
                let names = SceneTask.allCases.map(\.rawValue)
                let nearest = nearestName(to: name, among: names).map { " (did you mean '\($0)'?)" } ?? ""
                throw ValidationError("--kinds: expected \(names.joined(separator: ", ")), found '\(name)'\(nearest)")
            }
            return task
        }
        return SceneGenerator.Options(
            count: count, size: size, level: level, seed: seed, split: split, tasks: tasks ?? SceneTask.allCases,
            photos: photos)
    }

    func validate() throws {
        guard 1...1_000_000 ~= shard else {
            throw ValidationError("--shard: expected 1 to 1000000 pairs, found \(shard)")
        }
        if output == nil, !checkOracle { throw ValidationError("--output: expected a folder, found none") }
        do {
            try options().check()
        } catch let error as OptionError {
            let name = error.option == "tasks" ? "kinds" : error.option
            throw ValidationError("--\(name)\(error.description.dropFirst(error.option.count))")
        }
    }

    func run() throws {
        threads.apply()
        let generator = try SceneGenerator(options: options())
        if checkOracle {
            print(try SceneOracleCheck(generator, count: count).lines.joined(separator: "\n"))
            return
        }
        guard let output else { return }
        let begin = ContinuousClock.now
        do {
            try generator.write(
                to: output, layout: .init(format: format, shardSize: shard, size: size), overwrites: overwrite,
                progress: ProgressBar().show)
        } catch let error as FolderInUse {
            throw FileError(
                output,
                expected: "a new or empty folder, or one that the same options began (--overwrite replaces scenes)",
                found: error.found)
        }
        let seconds = begin.duration(to: .now) / .seconds(1)
        print("\(count.grouped) pairs of \(size)x\(size) pixels in \(String(format: "%.1f", seconds)) s: \(output)")
    }
}

extension SceneSplit: ExpressibleByArgument {}
extension PanelFormat: ExpressibleByArgument {}
