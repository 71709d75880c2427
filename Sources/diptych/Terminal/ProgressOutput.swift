import Foundation

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Where a ``ProgressBar`` writes, and what it must know about the place.
package struct ProgressOutput: Sendable {
    /// Writes text as it is.
    package var write: @Sendable (String) -> Void
    /// Columns of the terminal now, or `nil` for anything else than a terminal.
    package var width: @Sendable () -> Int?
    /// Seconds since any fixed moment.
    package var now: @Sendable () -> Double
    /// Whether the bar may use block characters.
    package var isUnicode: Bool
    /// Whether progress is wanted at all; errors are written anyway.
    package var showsProgress: Bool

    /// Describes a place to write to.
    package init(
        isUnicode: Bool = true, showsProgress: Bool = true, width: @escaping @Sendable () -> Int?,
        now: @escaping @Sendable () -> Double, write: @escaping @Sendable (String) -> Void
    ) {
        self.showsProgress = showsProgress
        self.isUnicode = isUnicode
        self.width = width
        self.now = now
        self.write = write
    }

    /// The standard error stream, with the width that the terminal reports (`TIOCGWINSZ`); without progress where the
    /// program is quiet.
    package static var standardError: ProgressOutput {
        let environment = ProcessInfo.processInfo.environment
        let locale = environment["LC_ALL"] ?? environment["LC_CTYPE"] ?? environment["LANG"] ?? ""
        let isTerminal = isatty(STDERR_FILENO) == 1 && environment["TERM"] != "dumb"
        return ProgressOutput(
            isUnicode: locale.uppercased().contains("UTF-8") || locale.uppercased().contains("UTF8"),
            showsProgress: Verbosity.current != .quiet,
            width: {
                guard isTerminal else { return nil }
                var size = winsize()
                let answer = ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size)
                // Some terminals, such as serial lines, report no size.
                return answer == 0 && size.ws_col > 0 ? Int(size.ws_col) : 80
            },
            now: {
                var time = timespec()
                clock_gettime(CLOCK_MONOTONIC, &time)
                return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
            },
            write: { StandardStream.error.write($0) })
    }
}
