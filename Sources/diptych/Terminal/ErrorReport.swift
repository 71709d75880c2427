import ArgumentParser
import DiptychData
import Training

/// What the program prints and returns for an error.
package struct ErrorReport {
    /// The text, without the last line feed; empty when the command has said it already.
    package var text: String
    /// The exit status.
    package var status: Int32

    /// Sorts an error: a request for help (0), a wrong command line (2), a command's own status, or a failure (1).
    ///
    /// A wrong command line shows the usage of its own command.
    init(_ error: any Error, program: any ParsableCommand.Type, command: any ParsableCommand.Type) {
        let code = program.exitCode(for: error)
        if code.isSuccess {
            self.init(text: program.fullMessage(for: error), status: 0)
        } else if code == .validationFailure, let error = error as? ValidationError {
            let usage = program.usageString(for: command)
            let words = usage.split(separator: " ").prefix { $0.first?.isLetter == true }.joined(separator: " ")
            self.init(
                text: "error: \(error.message)\nUsage: \(usage)\n  See '\(words) --help' for more information.",
                status: 2)
        } else if code == .validationFailure {
            self.init(text: program.fullMessage(for: error), status: 2)
        } else if let code = error as? ExitCode {
            self.init(text: "", status: code.rawValue)
        } else {
            self.init(text: Self.lines(for: error).map { "error: " + $0 }.joined(separator: "\n"), status: 1)
        }
    }

    private init(text: String, status: Int32) {
        self.text = text
        self.status = status
    }

    /// An error in one line; a configuration's or a dataset's faults in one line each, up to a hundred.
    package static func lines(for error: any Error) -> [String] {
        if let error = error as? ConfigurationError { return faultLines(error.faults) }
        if let error = error as? DatasetError { return faultLines(error.lines) }
        return [oneLine("\(error)")]
    }
}
