import ArgumentParser
import Training

/// Flags that every subcommand takes.
struct CommonOptions: ParsableArguments {
    @Flag(name: .shortAndLong, help: "Say more about what is done and with what.")
    var verbose = false

    @Flag(name: .shortAndLong, help: "Print results, warnings and errors alone: no notes, no progress.")
    var quiet = false

    func validate() throws {
        if verbose && quiet { throw ValidationError("--quiet: expected it without --verbose, found both") }
    }

    /// Puts the flags into force for the whole process.
    func apply() { Verbosity.current = quiet ? .quiet : verbose ? .verbose : .normal }
}

/// A command of this program.
protocol Subcommand: ParsableCommand {
    /// What all commands have.
    var common: CommonOptions { get }
}

extension NameSpecification {
    /// The names of the option for what a command writes: one for all commands, and the one that some had before.
    static let output: NameSpecification = [.customShort("o"), .customLong("output"), .customLong("out")]
}
