public import Logging

/// The one way by which the libraries say what a user may want to know.
///
/// A program decides what becomes of it, as swift-log has it: `LoggingSystem.bootstrap` before the first message, or a
/// `Logger` of its own where a function takes one. Without either, messages go to standard error in swift-log's form.
extension Logger {
    /// The logger of everything that was given none; its label is `diptych`.
    public static var diptych: Logger { Logger(label: "diptych") }

    /// The metadata key of a warning's kind, such as `skipped`.
    public static var kindKey: String { "kind" }

    /// Logs at level `notice` what a user may want to know of the work.
    public func note(_ text: String) { notice("\(text)") }

    /// Logs at level `warning` that something is probably not as it was meant, or was left out; `kind` says in a word
    /// what it is where it is more than a warning, such as `skipped` for a pair.
    public func warn(_ text: String, kind: String? = nil) {
        warning("\(text)", metadata: kind.map { [Self.kindKey: .string($0)] })
    }
}
