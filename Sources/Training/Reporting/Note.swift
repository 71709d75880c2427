import Synchronization
import TensorIO

/// How much the program says beside its results and errors. The command line decides it, once.
public enum Verbosity: Int, Sendable {
    /// Results, errors and warnings alone.
    case quiet
    /// Notes and progress too.
    case normal
    /// More about what is done and with what.
    case verbose

    private static let chosen = Atomic<Int>(Verbosity.normal.rawValue)

    /// What holds now, for the whole process.
    public static var current: Verbosity {
        get { Verbosity(rawValue: chosen.load(ordering: .relaxed)) ?? .normal }
        set { chosen.store(newValue.rawValue, ordering: .relaxed) }
    }
}

/// Says on standard error what a user may want to know of a command's work: `note: …`, one line.
///
/// All notes of all commands go through here, so that `--quiet` silences every one. Control characters, which a name from
/// a file may have, are escaped.
public func note(_ text: String) {
    if Verbosity.current == .quiet { return }
    StandardStream.error.write("note: " + printable(text, limit: longestMessage) + "\n")
}

/// Says on standard error that something is probably not as it was meant: `warning: …`, or another first word, one line.
/// `--quiet` does not silence it.
public func warn(_ text: String, as word: String = "warning") {
    StandardStream.error.write("\(word): " + printable(text, limit: longestMessage) + "\n")
}

/// Characters of a note or warning: some paths and names, but no file's whole content.
private let longestMessage = 2000
