package import Logging
import TensorIO
import Training

/// What the libraries and the commands log, as lines on standard error: `note: …`, `warning: …`, `skipped: …`, `error: …`.
///
/// `--quiet` silences notes, nothing else. While a bar is drawn, a line stands above it. Control characters, which a name
/// from a file may have, are escaped.
package struct TerminalLog: LogHandler {
    package var metadata: Logger.Metadata = [:]
    package var logLevel: Logger.Level
    private let write: @Sendable (String) -> Void

    /// Characters of a line: some paths and names, but no file's whole content.
    private static func longest(_ level: Logger.Level) -> Int { level >= .error ? 4000 : 2000 }

    /// Passes on what is of a level that `verbosity` lets through.
    init(_ verbosity: Verbosity, write: @escaping @Sendable (String) -> Void = ProgressBar.printAboveDrawn) {
        logLevel =
            switch verbosity {
            case .quiet: .warning
            case .normal: .notice
            case .verbose: .debug
            }
        self.write = write
    }

    /// For a test: what is written for messages of every level from `level` on.
    package init(from level: Logger.Level, write: @escaping @Sendable (String) -> Void) {
        logLevel = level
        self.write = write
    }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        let word =
            switch event.level {
            case .trace, .debug, .info, .notice: "note"
            case .warning: event.metadata?[Logger.kindKey].map { "\($0)" } ?? "warning"
            case .error, .critical: "error"
            }
        write("\(word): " + printable("\(event.message)", limit: Self.longest(event.level)) + "\n")
    }

    /// Takes over what every logger of this process says. Once, before the first message.
    static func install() { LoggingSystem.bootstrap { _ in TerminalLog(Verbosity.current) } }
}

/// Says on standard error what a user may want to know of a command's work: `note: …`, one line.
func note(_ text: String) { Logger.diptych.note(text) }
