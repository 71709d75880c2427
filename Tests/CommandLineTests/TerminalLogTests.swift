import Logging
import Synchronization
import Testing
import Training
import diptych

/// What is logged, as lines on standard error.
@Suite struct TerminalLogTests {
    private final class Sink: Sendable {
        let text = Mutex("")
    }

    private func lines(from level: Logger.Level, _ log: (Logger) -> Void) -> String {
        let sink = Sink()
        let handler = TerminalLog(from: level) { line in sink.text.withLock { $0 += line } }
        log(Logger(label: "test") { _ in handler })
        return sink.text.withLock { $0 }
    }

    @Test func levelsAndKinds() {
        let text = lines(from: .notice) { logger in
            logger.note("resized")
            logger.warn("line 4 is no pair", kind: "skipped")
            logger.warn("odd")
            logger.error("no room; training goes on")
            logger.debug("not shown")
        }
        #expect(
            text == "note: resized\nskipped: line 4 is no pair\nwarning: odd\nerror: no room; training goes on\n")
    }

    @Test func quietLetsWarningsPass() {
        let text = lines(from: .warning) { logger in
            logger.note("resized")
            logger.warn("odd")
        }
        #expect(text == "warning: odd\n")
    }

    @Test func whatWouldSteerATerminalIsEscaped() {
        let text = lines(from: .notice) { $0.note("a\u{1B}[2Jb\nc") }
        #expect(!text.dropLast().unicodeScalars.contains { $0.value < 32 } && text.hasPrefix("note: a\\"), "\(text)")
        #expect(lines(from: .notice) { $0.note(String(repeating: "x", count: 9000)) }.count < 2100)
    }
}
