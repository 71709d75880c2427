import ArgumentParser
import Foundation
import TensorCore
import TensorIO
import Training

/// The program: trains, uses and exports in-context editing adapters.
///
/// Exit status 0: done; 1: it failed, and standard error says why in lines that begin with `error:`; 2: the command line
/// is wrong; 128 and a signal's number, such as 130: interrupted.
@main
struct DiptychCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "diptych",
        abstract: "Trains LoRA-MoE adapters for in-context image editing.",
        version: version,
        subcommands: [
            DataCommand.self, TrainCommand.self, EditCommand.self, ExportCommand.self, FlattenMoECommand.self,
            MergeCommand.self, InspectCommand.self, QuantizeCommand.self, RandomBaseCommand.self, ConfigCommand.self,
            DoctorCommand.self, VelocityCommand.self, ManualCommand.self,
        ])

    static let version = DiptychVersion.current

    /// What commands were called in earlier versions, and are called now.
    static let formerNames = ["static": "flatten-moe"]

    /// What ArgumentParser puts before its messages.
    static var _errorLabel: String { "error" }

    static func main() {
        StandardStream.openClosedOnes()
        TerminalLog.install()
        // The command whose usage an error shows: the last that the words name rightly.
        var named: any ParsableCommand.Type = self
        do {
            var words = Array(CommandLine.arguments.dropFirst())
            let former = words.first.flatMap { formerNames[$0] == nil ? nil : $0 }
            if let former, let name = formerNames[former] { words[0] = name }
            try follow(words, to: &named)
            var command: any ParsableCommand
            do {
                command = try parseAsRoot(words)
            } catch {
                if exitCode(for: error) == .validationFailure { try checkFlags(words, of: named) }
                throw error
            }
            if let command = command as? any Subcommand {
                command.common.apply()
                if let former, let name = formerNames[former] {
                    note("'diptych \(former)' is called 'diptych \(name)' now")
                }
                if let fault = MatrixKernels.environmentFault {
                    StandardStream.error.write("error: \(fault)\n")
                    throw ExitCode(2)
                }
            }
            try command.run()
            // What a run made lies on the disk: a reader of its messages that has gone is no failure.
            guard StandardStream.flushPrinted() || Interruption.isInstalled else {
                throw FileError("standard output", expected: "a place for the results", found: "one that takes no more")
            }
        } catch {
            exit(reporting: error, of: named)
        }
    }

    /// Goes from the program to the command that the first words name. Throws when one of them is no subcommand, for which
    /// ArgumentParser has no suggestion.
    private static func follow(_ words: some Sequence<String>, to command: inout any ParsableCommand.Type) throws {
        for (place, word) in words.enumerated() {
            let subcommands = command.configuration.subcommands
            if subcommands.isEmpty || word.hasPrefix("-") { break }
            if place == 0 && word == "help" { continue }
            guard let next = subcommands.first(where: { $0._commandName == word }) else {
                let names = subcommands.map { $0._commandName } + (place == 0 ? ["help"] : [])
                let nearest = nearestName(to: word, among: names).map { " Did you mean '\($0)'?" } ?? ""
                throw ValidationError("Unknown subcommand '\(word)'.\(nearest)")
            }
            command = next
        }
    }

    /// Throws when a flag is unknown. ArgumentParser would rather complain of the argument that is missing because its
    /// flag is misspelled.
    private static func checkFlags(_ words: some Sequence<String>, of command: any ParsableCommand.Type) throws {
        let help = helpMessage(for: command, includeHidden: true)
        let known = Set(help.matches(of: /--[a-z][a-z-]*/).map { String($0.output) })
        for word in words where word != "--" && word.hasPrefix("--") {
            let flag = String(word.prefix { $0 != "=" })
            guard !known.contains(flag), let nearest = nearestName(to: flag, among: known.sorted()) else { continue }
            throw ValidationError("Unknown option '\(flag)'. Did you mean '\(nearest)'?")
        }
    }

    /// Prints what went wrong, or the help that was asked for, and ends the process.
    private static func exit(reporting error: any Error, of named: any ParsableCommand.Type) -> Never {
        let report = ErrorReport(error, program: Self.self, command: named)
        // What was printed before must come before it.
        let isPrinted = StandardStream.flushPrinted()
        let stream = report.status == 0 ? StandardStream.output : .error
        let isSaid = report.text.isEmpty || stream.write(report.text + "\n")
        Foundation.exit(report.status == 0 && !(isPrinted && isSaid) ? 1 : report.status)
    }
}
