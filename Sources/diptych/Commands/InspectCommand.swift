import ArgumentParser
import Foundation
import Models
import TensorIO
import Training

/// `diptych inspect FILE`
struct InspectCommand: Subcommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect",
        abstract: "Prints what a safetensors, GGUF or HDF5 file, a checkpoint, a run or a pipeline folder holds.",
        discussion: """
            A model is known by its tensors, not by its file's name: for each one found, the layout, the proportions, the \
            types and what is missing are said, and which flags name the other parts of a pipeline.
            """,
        examples: [
            CommandExample("what is this file?", "diptych inspect flux1-fill-dev-Q4_0.gguf"),
            CommandExample("a run's latest checkpoint, with every tensor", "diptych inspect Runs/mine --limit 0"),
            CommandExample("for a program", "diptych inspect adapter.safetensors --json"),
        ])

    @OptionGroup var common: CommonOptions

    @Argument(help: "A file or a folder.", completion: .file())
    var path: String

    @Option(name: .long, parsing: .unconditional, help: "The most tensors to list; 0 for all.")
    var limit = 40

    @Flag(name: .long, help: "Print JSON, with every tensor.")
    var json = false

    func validate() throws {
        if limit < 0 { throw ValidationError("--limit: expected 0 or more, found \(limit)") }
    }

    func run() throws {
        var report = try Inspection(path).report()
        report.addMissingFlags()
        if json {
            try print(JSONText.of(report))
        } else {
            for line in report.lines(limit: limit == 0 ? .max : limit) { print(line) }
        }
    }
}

extension InspectionReport {
    /// Says which flags name what a pipeline needs besides the models that are there.
    fileprivate mutating func addMissingFlags() {
        guard let models else { return }
        let flags: [(PipelineFolder.Part, String)] = [
            (.transformer, "--transformer"), (.vae, "--vae"), (.textEncoder, "--clip"), (.textEncoder2, "--t5"),
        ]
        missing =
            flags.filter { part, _ in !models.contains { $0.part == part.rawValue } }.map(\.1)
            + ["--base with the tokenizers"]
    }
}
