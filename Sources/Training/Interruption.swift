import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Ctrl-C and `kill` as a wish that a loop can see.
///
/// The first SIGINT or SIGTERM sets ``isRequested`` and says on standard error what will happen; the loop finishes its
/// step, saves a checkpoint, says how to resume, and leaves with ``exitStatus``. A second one ends the process at once
/// with that status.
///
///     Interruption.install()
///     while step < steps, !Interruption.isRequested { … }
public enum Interruption {
    /// The exit status of an interrupted run, 128 + SIGINT.
    public static let exitStatus: CInt = 130

    /// Whether the user has asked to stop.
    public static var isRequested: Bool { requests.load(ordering: .relaxed) > 0 }

    /// What the first signal says.
    public enum Notice: Int, Sendable {
        /// A step and a checkpoint.
        case training
        /// A file of a cache.
        case encoding
    }

    /// Takes over SIGINT and SIGTERM. Doing so again forgets an earlier request.
    public static func install(notice: Notice = .training) {
        // The handler may touch only what exists already: a lazy initialiser is not safe inside a signal.
        requests.store(0, ordering: .relaxed)
        chosen.store(notice.rawValue, ordering: .relaxed)
        _ = (trainingNotice.utf8CodeUnitCount, encodingNotice.utf8CodeUnitCount)
        var action = sigaction()
        action.__sigaction_handler.sa_handler = { _ in
            if Interruption.requests.add(1, ordering: .relaxed).newValue > 1 { _exit(130) }
            let saved = errno
            let isTraining = Interruption.chosen.load(ordering: .relaxed) == Notice.training.rawValue
            let notice = isTraining ? Interruption.trainingNotice : Interruption.encodingNotice
            _ = write(STDERR_FILENO, notice.utf8Start, notice.utf8CodeUnitCount)
            errno = saved
        }
        sigemptyset(&action.sa_mask)
        action.sa_flags = SA_RESTART
        sigaction(SIGINT, &action, nil)
        sigaction(SIGTERM, &action, nil)
    }

    /// Gives both signals back to the system, which ends the process, and forgets an earlier request.
    public static func uninstall() {
        signal(SIGINT, SIG_DFL)
        signal(SIGTERM, SIG_DFL)
        requests.store(0, ordering: .relaxed)
    }

    private static let requests = Atomic<Int>(0)
    private static let chosen = Atomic<Int>(0)
    private static let trainingNotice: StaticString =
        "\nstopping after this step, then saving a checkpoint; once more to stop at once\n"
    private static let encodingNotice: StaticString =
        "\nstopping after this pair; what is in no whole file yet is encoded again; once more to stop at once\n"
}
