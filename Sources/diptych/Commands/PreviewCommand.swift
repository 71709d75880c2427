import ArgumentParser
import DiptychData
import Foundation
import InContextEdit
import TensorIO
import Training

/// `diptych data preview PATH -o sheet.png`
struct PreviewCommand: Subcommand {
    static let configuration = CommandConfiguration(
        commandName: "preview",
        abstract: "Draws a sheet of random pairs of a dataset with their sizes, tasks and whole instructions.",
        examples: [
            CommandExample("twelve random pairs", "diptych data preview Datasets/mine -o sheet.png"),
            CommandExample(
                "more of them, wide pictures one above the other",
                "diptych data preview Datasets/mine --count 24 --columns 4 --panel-layout auto -o sheet.jpg"),
        ])

    @OptionGroup var common: CommonOptions

    @Argument(
        help: "A dataset: a folder with a list, shards or pictures, a list (.jsonl, .csv), or a shard (.tar).",
        completion: .file())
    var path: String

    @OptionGroup var dataset: DatasetOptions

    @Option(name: .output, help: "The sheet, a PNG or JPEG file.", completion: .file(extensions: ["png", "jpg"]))
    var output: String

    @Option(name: .long, parsing: .unconditional, help: "The number of pairs.")
    var count = 12

    @Option(name: .long, parsing: .unconditional, help: "Pairs beside each other.")
    var columns = 3

    @Option(name: .long, parsing: .unconditional, help: "Side of a panel on the sheet in pixels.")
    var panel = 160

    @Option(
        name: [.long, .customLong("arrangement")],
        help: "How the panels lie: beside, stacked or auto (stacked where they are wider than tall).")
    var panelLayout = PanelLayoutChoice.beside

    @Option(name: .long, parsing: .unconditional, help: "What the choice of pairs depends on.")
    var seed: UInt64 = 0

    func validate() throws {
        for (name, value, range) in [
            ("count", count, 1...1000), ("columns", columns, 1...20), ("panel", panel, 32...1024),
        ] where !range.contains(value) {
            throw ValidationError("--\(name): expected \(range.lowerBound) to \(range.upperBound), found \(value)")
        }
    }

    func run() throws {
        var inputs = InputFiles()
        inputs.add(dataset: path, dataset.reading, for: output)
        try inputs.requireOutput(output)
        let sheet = try ContactSheet(
            path: path, reading: dataset.reading, isEvaluation: dataset.evaluation, count: count, columns: columns,
            panelSide: panel, panelLayout: panelLayout, seed: seed)
        try sheet.image.write(to: output)
        if let line = sheet.missingLetters { note(line) }
        print("\(sheet.indices.count) pairs: \(output)")
    }
}
