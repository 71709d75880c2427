import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Ctrl-C, `kill` and a terminal that closes, as a wish that a loop can see.
///
/// The first SIGINT, SIGTERM or SIGHUP sets ``isRequested`` and says on standard error what will happen; the loop finishes
/// its step, saves a checkpoint, says how to resume, and leaves with ``exitStatus``. A second one ends the process at once.
/// SIGPIPE is ignored: a reader of the messages that has gone is no reason to end a run of days.
///
///     Interruption.install()
///     while step < steps, !Interruption.isRequested { … }
package enum Interruption {
    /// The exit status of an interrupted run: 128 and the number of the first signal, so 130 for Ctrl-C, 143 for `kill` and
    /// 129 for a terminal that closed.
    package static var exitStatus: CInt {
        let signal = CInt(first.load(ordering: .relaxed))
        return 128 + (signal == 0 ? SIGINT : signal)
    }

    /// Whether the user has asked to stop.
    package static var isRequested: Bool { requests.load(ordering: .relaxed) > 0 }

    /// Whether signals are taken over.
    package static var isInstalled: Bool { installed.load(ordering: .relaxed) }

    /// What the first signal says.
    package enum Notice: Int, Sendable {
        /// A step and a checkpoint.
        case training
        /// A file of a cache.
        case encoding
    }

    /// Takes over SIGINT, SIGTERM and SIGHUP, and ignores SIGPIPE. Doing so again forgets an earlier request. A SIGHUP that
    /// is ignored already, as `nohup` does, stays so.
    package static func install(notice: Notice = .training) {
        // The handler may touch only what exists already: a lazy initialiser is not safe inside a signal.
        requests.store(0, ordering: .relaxed)
        first.store(0, ordering: .relaxed)
        chosen.store(notice.rawValue, ordering: .relaxed)
        installed.store(true, ordering: .relaxed)
        _ = (trainingNotice.utf8CodeUnitCount, encodingNotice.utf8CodeUnitCount)
        var action = sigaction()
        action.__sigaction_handler.sa_handler = { number in
            let count = Interruption.requests.add(1, ordering: .relaxed).newValue
            if count > 1 { _exit(128 + number) }
            Interruption.first.store(Int(number), ordering: .relaxed)
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
        if !isIgnored(SIGHUP) { sigaction(SIGHUP, &action, nil) }
        ignoreClosedPipes()
    }

    /// Lets writing to a pipe whose reader has gone fail instead of ending the process.
    package static func ignoreClosedPipes() { signal(SIGPIPE, SIG_IGN) }

    /// Gives the signals back to the system, which ends the process, and forgets an earlier request.
    package static func uninstall() {
        for number in [SIGINT, SIGTERM, SIGPIPE] { signal(number, SIG_DFL) }
        if !isIgnored(SIGHUP) { signal(SIGHUP, SIG_DFL) }
        installed.store(false, ordering: .relaxed)
        requests.store(0, ordering: .relaxed)
        first.store(0, ordering: .relaxed)
    }

    private static func isIgnored(_ number: CInt) -> Bool {
        var action = sigaction()
        guard sigaction(number, nil, &action) == 0, action.sa_flags & CInt(SA_SIGINFO) == 0 else { return false }
        // SIG_IGN is a function's address, which Swift compares by its bits only.
        return unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self)
            == unsafeBitCast(SIG_IGN, to: Int.self)
    }

    private static let installed = Atomic<Bool>(false)
    private static let requests = Atomic<Int>(0)
    private static let first = Atomic<Int>(0)
    private static let chosen = Atomic<Int>(0)
    private static let trainingNotice: StaticString =
        "\nstopping after this step, then saving a checkpoint; once more to stop at once\n"
    private static let encodingNotice: StaticString =
        "\nstopping after this pair; what is in no whole file yet is encoded again; once more to stop at once\n"
}
