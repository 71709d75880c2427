import Foundation
import Testing
import diptych

/// Sends a signal to this process as a terminal does; it reaches a thread that takes signals, here the main one.
private func send(_ signal: CInt) { kill(getpid(), signal) }

/// Waits for at most ten seconds.
private func wait(until condition: () -> Bool = { false }) {
    for _ in 0..<1000 where !condition() { usleep(10_000) }
}

/// Signals belong to the whole process, so each case runs in one of its own.
@Suite struct InterruptionTests {
    @Test func theFirstSignalIsAWish() async {
        await #expect(processExitsWith: .exitCode(7)) {
            Interruption.install()
            guard !Interruption.isRequested else { exit(1) }
            send(SIGINT)
            wait { Interruption.isRequested }
            exit(Interruption.isRequested ? 7 : 2)
        }
    }

    @Test func terminateIsTheSame() async {
        await #expect(processExitsWith: .exitCode(7)) {
            Interruption.install()
            send(SIGTERM)
            wait { Interruption.isRequested }
            exit(Interruption.isRequested ? 7 : 2)
        }
    }

    @Test(arguments: [(SIGINT, 130), (SIGTERM, 143), (SIGHUP, 129)] as [(CInt, CInt)])
    func theStatusIsTheSignals(number: CInt, status: CInt) async {
        await #expect(processExitsWith: .exitCode(status)) { [number, status] in
            Interruption.install()
            send(number)
            wait { Interruption.isRequested }
            // The flag is set before the number is noted.
            wait { Interruption.exitStatus == status }
            exit(Interruption.exitStatus)
        }
    }

    @Test func aClosedPipeEndsNothing() async {
        await #expect(processExitsWith: .exitCode(7)) {
            Interruption.install()
            send(SIGPIPE)
            var ends: [CInt] = [0, 0]
            guard pipe(&ends) == 0, close(ends[0]) == 0 else { exit(1) }
            exit(write(ends[1], "x", 1) == -1 && errno == EPIPE && !Interruption.isRequested ? 7 : 2)
        }
    }

    /// As `nohup` begins a program.
    @Test func aHangUpThatIsIgnoredStaysSo() async {
        await #expect(processExitsWith: .exitCode(7)) {
            signal(SIGHUP, SIG_IGN)
            Interruption.install()
            send(SIGHUP)
            usleep(200_000)
            exit(Interruption.isRequested ? 2 : 7)
        }
    }

    @Test func theSecondSignalEndsAtOnce() async {
        await #expect(processExitsWith: .exitCode(128 + SIGTERM)) {
            Interruption.install()
            send(SIGINT)
            wait { Interruption.isRequested }
            send(SIGTERM)
            wait()
            exit(7)
        }
    }

    @Test func itSaysWhatHappens() async throws {
        let result = try await #require(processExitsWith: .success, observing: [\.standardErrorContent]) {
            Interruption.install()
            send(SIGINT)
            wait { Interruption.isRequested }
            // The flag is set before the line is written.
            usleep(200_000)
            exit(0)
        }
        let text = String(decoding: result.standardErrorContent, as: UTF8.self)
        #expect(text.contains("stopping after this step"))
    }

    @Test func uninstalledSignalsEndTheProcess() async {
        await #expect(processExitsWith: .signal(SIGINT)) {
            Interruption.install()
            Interruption.uninstall()
            send(SIGINT)
            wait()
            exit(7)
        }
    }
}
