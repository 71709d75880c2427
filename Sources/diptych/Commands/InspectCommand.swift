import ArgumentParser
import Foundation
import TensorIO

/// `diptych inspect FILE`
struct InspectCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect",
        abstract: "Prints what a safetensors or HDF5 file, a checkpoint, a run or a pipeline folder holds.")

    @OptionGroup var common: CommonOptions

    @Argument(help: "A file or a folder.", completion: .file())
    var path: String

    @Option(name: .long, parsing: .unconditional, help: "The most tensors to list; 0 for all.")
    var limit = 40

    func validate() throws {
        if limit < 0 { throw ValidationError("--limit: expected 0 or more, found \(limit)") }
    }

    func run() throws {
        let inspection = Inspection(limit: limit == 0 ? .max : limit)
        for line in try inspection.lines(of: path) { print(line) }
    }
}
