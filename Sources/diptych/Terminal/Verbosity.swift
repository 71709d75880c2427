import Synchronization

/// How much the program says beside its results and errors. The command line decides it, once.
enum Verbosity: Int, Sendable {
    /// Results, errors and warnings alone.
    case quiet
    /// Notes and progress too.
    case normal
    /// More about what is done and with what.
    case verbose

    private static let chosen = Atomic<Int>(Verbosity.normal.rawValue)

    /// What holds now, for the whole process.
    static var current: Verbosity {
        get { Verbosity(rawValue: chosen.load(ordering: .relaxed)) ?? .normal }
        set { chosen.store(newValue.rawValue, ordering: .relaxed) }
    }
}
