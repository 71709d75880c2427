import Logging
import TensorCore
import Testing
import diptych

/// A terminal of any width with a clock that the test moves.
private final class FakeTerminal: @unchecked Sendable {
    var width: Int?
    var time = 0.0
    var text = ""
    let isUnicode: Bool

    init(width: Int?, isUnicode: Bool = true) {
        self.width = width
        self.isUnicode = isUnicode
    }

    var output: ProgressOutput {
        ProgressOutput(
            isUnicode: isUnicode, width: { self.width }, now: { self.time }, write: { self.text += $0 })
    }

    /// What the last drawing shows.
    var shown: String {
        String(text.split(separator: "\r").last ?? "").replacing("\u{1B}[K", with: "")
    }
}

extension ProgressBar {
    /// Shows the state after some steps of a run.
    fileprivate func update(
        step: Int, of total: Int, loss: Double? = nil, loadBalance: Double? = nil, found: Int = 0
    ) {
        let figures =
            (loss.map { [WorkProgress.Figure("loss", $0)] } ?? [])
            + (loadBalance.map { [WorkProgress.Figure("balance", $0)] } ?? [])
        show(WorkProgress("steps", done: step, total: total, found: found, figures: figures))
    }
}

@Suite struct ProgressBarTests {
    private func drawn(width: Int?, isUnicode: Bool = true, balance: Double? = 1.02) -> String {
        let terminal = FakeTerminal(width: width, isUnicode: isUnicode)
        let bar = ProgressBar(output: terminal.output)
        for step in 1...120 {
            terminal.time += 0.4
            bar.update(step: step, of: 300, loss: 0.42134, loadBalance: balance)
        }
        return terminal.shown
    }

    @Test func lines() {
        #expect(
            drawn(width: 120)
                == "████████████████░░░░░░░░░░░░░░░░░░░░░░░░  120/300  loss 0.4213  balance 1.0200  2.50 steps/s  1:12 left"
        )
        #expect(
            drawn(width: 80)
                == "██████░░░░░░░░░░  120/300  loss 0.4213  balance 1.0200  2.50 steps/s  1:12 left")
        #expect(drawn(width: 60) == "████░░░░░░░░  120/300  loss 0.4213  2.50 steps/s  1:12 left")
        #expect(drawn(width: 30) == "120/300  loss 0.4213")
        #expect(drawn(width: 12) == "120/300")
        #expect(drawn(width: 5) == "120/")
        #expect(drawn(width: 1) == "")
        #expect(drawn(width: 0) == "")
    }

    /// One slow step moves the rate by a tenth of the way.
    @Test func theRateIsSmoothed() {
        let terminal = FakeTerminal(width: 120)
        let bar = ProgressBar(output: terminal.output)
        for step in 1...21 {
            terminal.time += step == 21 ? 11 : 1
            bar.update(step: step, of: 300, loss: 0.4)
        }
        // Two seconds a step: 1 + (11 - 1) / 10.
        #expect(terminal.shown.contains("  2.00 s/step  9:18 left"), "\(terminal.shown)")
    }

    @Test func workBesideTheSteps() {
        let terminal = FakeTerminal(width: 12, isUnicode: true)
        let bar = ProgressBar(output: terminal.output)
        bar.show(WorkProgress("steps", total: 2, stage: "encoding the text"))
        #expect(terminal.shown == "encoding th")
        // The clock of the steps begins with the first state, not with the work before it.
        terminal.time += 100
        bar.update(step: 0, of: 2)
        terminal.time += 2
        bar.update(step: 1, of: 2)
        bar.finish()
        let plain = FakeTerminal(width: nil, isUnicode: true)
        let lines = ProgressBar(interval: 0, output: plain.output)
        lines.show(WorkProgress("steps", total: 2, stage: "encoding the text"))
        plain.time += 100
        lines.update(step: 0, of: 2)
        plain.time += 2
        lines.update(step: 1, of: 2)
        #expect(plain.text == "encoding the text\nstep 0/2\nstep 1/2  2.00 s/step  0:02 left\n")
    }

    @Test func ascii() {
        #expect(
            drawn(width: 100, isUnicode: false, balance: nil)
                == "[###############-----------------------]  120/300  loss 0.4213  2.50 steps/s  1:12 left")
    }

    @Test(arguments: 0...140) func neverWiderThanTheTerminal(width: Int) {
        let text = drawn(width: width)
        #expect(text.count <= max(0, width - 1))
        #expect(!text.contains("\n"))
    }

    @Test func plainLinesEveryInterval() {
        let terminal = FakeTerminal(width: nil)
        let bar = ProgressBar(interval: 10, output: terminal.output)
        for step in 1...50 {
            terminal.time += 0.5
            bar.update(step: step, of: 50, loss: 2)
        }
        bar.finish()
        #expect(
            terminal.text == """
                step 1/50  loss 2.0000  2.00 steps/s  0:25 left
                step 21/50  loss 2.0000  2.00 steps/s  0:15 left
                step 41/50  loss 2.0000  2.00 steps/s  0:05 left
                step 50/50  loss 2.0000  2.00 steps/s  0:00 left

                """)
    }

    @Test func theTerminalIsDrawnTenTimesASecondAndAtTheEnd() {
        let terminal = FakeTerminal(width: 80)
        let bar = ProgressBar(output: terminal.output)
        for step in 1...1000 {
            terminal.time += 1.0 / 1024
            bar.update(step: step, of: 1000, loss: 1)
        }
        bar.finish()
        let drawings = terminal.text.split(separator: "\r")
        #expect((10...12).contains(drawings.count))
        #expect(drawings.last?.contains("1000/1000") == true)
        #expect(terminal.text.hasSuffix("\n"))
    }

    @Test func aMessageStandsAboveTheBar() {
        let terminal = FakeTerminal(width: 30)
        let bar = ProgressBar(output: terminal.output)
        bar.print("before")
        terminal.time = 1
        bar.update(step: 1, of: 4, loss: 1)
        bar.print("saved a checkpoint")
        #expect(
            terminal.text
                == "before\n\r1/4  loss 1.0000  0:03 left\u{1B}[K\r\u{1B}[Ksaved a checkpoint\n1/4  loss 1.0000  0:03 left"
        )
    }

    @Test func aResumedRunIsNotFast() {
        let terminal = FakeTerminal(width: nil)
        let bar = ProgressBar(output: terminal.output)
        terminal.time = 90
        bar.update(step: 1001, of: 1002, loss: 1, found: 1000)
        #expect(terminal.text == "step 1001/1002  loss 1.0000  90.00 s/step  1:30 left\n")
    }

    @Test(
        arguments: [
            (0.00012, "1.200e-04"), (12345, "1.234e+04"), (0, "0.0000"), (12.3456, "12.346"), (.nan, "nan"),
            (.infinity, "inf"), (-.infinity, "-inf"),
        ] as [(Double, String)])
    func figures(value: Double, text: String) {
        let terminal = FakeTerminal(width: nil)
        ProgressBar(output: terminal.output).update(step: 0, of: 2, loss: value)
        #expect(terminal.text == "step 0/2  loss \(text)\n")
    }

    @Test(arguments: [
        (59.0, "0:59 left"), (3599, "59:59 left"), (3600, "1:00:00 left"), (90_061, "1d 01h left"),
        (1e300, "11574d 01h left"),
    ])
    func durations(seconds: Double, text: String) {
        let terminal = FakeTerminal(width: nil)
        let bar = ProgressBar(output: terminal.output)
        terminal.time = seconds
        bar.update(step: 1, of: 2, loss: 1)
        #expect(terminal.text.hasSuffix("  \(text)\n"))
    }

    @Test func aClockThatStandsStill() {
        let terminal = FakeTerminal(width: nil)
        ProgressBar(output: terminal.output).update(step: 1, of: 2, loss: 1)
        #expect(terminal.text == "step 1/2  loss 1.0000  ∞ steps/s  0:00 left\n")
    }

    /// Counts of anything but steps: the rate is that of the whole, and the line ends by itself.
    @Test func countedThings() {
        let terminal = FakeTerminal(width: 60)
        let bar = ProgressBar(output: terminal.output)
        terminal.time = 10
        bar.show(WorkProgress("pairs", done: 1500, total: 4000, found: 500))
        #expect(terminal.shown == "████████░░░░░░░░░░░░░░  1,500/4,000 pairs  100/s  0:25 left")
        terminal.time = 35
        bar.show(WorkProgress("pairs", done: 4000, total: 4000, found: 500))
        #expect(terminal.shown.hasSuffix("█  4,000/4,000 pairs  100/s\n"), "\(terminal.shown)")
        // Another unit begins another line.
        let before = terminal.text.count
        bar.show(WorkProgress("files", done: 1, total: 2))
        #expect(terminal.text.dropFirst(before).contains("░  1/2 files  "), "\(terminal.shown)")
        let plain = FakeTerminal(width: nil)
        ProgressBar(output: plain.output).show(WorkProgress("pairs", done: 1, total: 2))
        #expect(plain.text.isEmpty)
    }

    @Test func aQuietOutputShowsMessagesAlone() {
        let terminal = FakeTerminal(width: 60)
        var output = terminal.output
        output.showsProgress = false
        let bar = ProgressBar(output: output)
        bar.update(step: 1, of: 2, loss: 1)
        bar.show(WorkProgress("steps", total: 2, stage: "encoding the text"))
        bar.print("a message")
        bar.finish()
        #expect(terminal.text == "a message\n")
    }
}
