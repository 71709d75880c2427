// C declares `stdout` as a variable; it never changes.
#if canImport(Glibc)
    @preconcurrency import Glibc
#elseif canImport(Musl)
    @preconcurrency import Musl
#endif

/// The process's own streams, written to without a buffer.
///
/// What they do not take is lost: a terminal that has gone or a full disk behind a redirection must not end a run of
/// days.
package enum StandardStream: CInt, Sendable {
    /// Results.
    case output = 1
    /// Progress, notes and errors.
    case error = 2

    /// Writes a text; gives whether the stream took all of it.
    @discardableResult
    package func write(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        var done = 0
        while done < bytes.count {
            #if canImport(Glibc)
                let count = bytes.withUnsafeBytes { Glibc.write(rawValue, $0.baseAddress! + done, $0.count - done) }
            #else
                let count = bytes.withUnsafeBytes { Musl.write(rawValue, $0.baseAddress! + done, $0.count - done) }
            #endif
            if count < 0 {
                if errno == EINTR { continue }
                return false
            }
            done += count
        }
        return true
    }

    /// Writes what `print` has kept back; gives whether standard output took all that was printed so far.
    package static func flushPrinted() -> Bool { fflush(stdout) == 0 && ferror(stdout) == 0 }

    /// Puts `/dev/null` in the place of standard streams that are closed. Otherwise the next file to be opened, a
    /// checkpoint perhaps, would take their number and the messages.
    package static func openClosedOnes() {
        for descriptor in CInt(0)...2 where fcntl(descriptor, F_GETFD) == -1 && errno == EBADF {
            _ = open("/dev/null", O_RDWR)
        }
    }
}
