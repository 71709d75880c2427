import ArgumentParser
import Foundation
import TensorIO

/// The program: trains, uses and exports in-context editing adapters.
///
/// Exit status 0: done; 1: it failed, and standard error says why in lines that begin with `error:`; 2: the command line
/// is wrong; 130: interrupted.
@main
struct DiptychCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "diptych",
        abstract: "Trains LoRA-MoE adapters for in-context image editing.",
        version: version,
        subcommands: [
            DataCommand.self, TrainCommand.self, EditCommand.self, ExportCommand.self, InspectCommand.self,
            ConfigCommand.self, VelocityCommand.self,
        ])

    static let version = "0.1.0"

    /// What ArgumentParser puts before its messages.
    static var _errorLabel: String { "error" }

    static func main() {
        BLASCore.restartIfMisjudged()
        do {
            try checkSubcommand(CommandLine.arguments.dropFirst().first)
            var command = try parseAsRoot()
            try command.run()
        } catch {
            exit(reporting: error)
        }
    }

    /// Throws when the first word is no subcommand but resembles one, which ArgumentParser leaves without a suggestion.
    private static func checkSubcommand(_ word: String?) throws {
        guard let word, !word.hasPrefix("-") else { return }
        let names = configuration.subcommands.map { $0._commandName } + ["help"]
        guard !names.contains(word) else { return }
        let nearest = nearestName(to: word, among: names).map { " Did you mean '\($0)'?" } ?? ""
        throw ValidationError("Unknown subcommand '\(word)'.\(nearest)")
    }

    /// Prints what went wrong, or the help that was asked for, and ends the process.
    private static func exit(reporting error: any Error) -> Never {
        let report = ErrorReport(error, command: Self.self)
        let stream = report.status == 0 ? FileHandle.standardOutput : FileHandle.standardError
        if !report.text.isEmpty { stream.write(Data((report.text + "\n").utf8)) }
        Foundation.exit(report.status)
    }
}

/// Flags that every subcommand takes.
struct CommonOptions: ParsableArguments {
    @Flag(name: .long, help: "Say more about what is done and with what.")
    var verbose = false
}
