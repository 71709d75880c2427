import Foundation
import Synchronization
package import TensorCore

/// The state of long work in one line: bar, count, figures, rate and time left.
///
/// On a terminal the line is drawn again in place, at most ten times a second, and fits the terminal's width whatever it is.
/// Elsewhere the steps of a run or an edit get a plain line every `interval` seconds and at the last one, and other counts
/// none. An output that shows no progress gets only what ``print(_:)`` says.
///
///     let bar = ProgressBar()
///     let outcome = try session.run(progress: bar.show)
///     bar.finish()
package final class ProgressBar: Sendable {
    private let output: ProgressOutput
    private let interval: Double
    private let state: Mutex<State>

    private struct State {
        /// What is counted; another unit begins another bar.
        var unit: String?
        /// When the bar began, or the latest state was taken, and how many were done then.
        var last: (done: Int, time: Double)
        var begin: Double
        var secondsPerStep: Double?
        var drawn: (time: Double, done: Int)?
        /// What stands on the terminal's last line.
        var line: String?
    }

    /// Starts the clock.
    package init(interval: Double = 10, output: ProgressOutput = .standardError) {
        self.output = output
        self.interval = interval
        let now = output.now()
        state = Mutex(State(last: (0, now), begin: now))
    }

    /// Takes a state. May be called from any thread.
    package func show(_ progress: WorkProgress) { state.withLock { take(progress, &$0) } }

    private func take(_ progress: WorkProgress, _ state: inout State) {
        if let stage = progress.stage { return announce(stage, &state) }
        let now = output.now()
        if state.unit != progress.unit {
            if state.unit == nil {
                (state.unit, state.last) = (progress.unit, (progress.found, state.begin))
            } else {
                finish(&state)
                state = State(unit: progress.unit, last: (progress.found, now), begin: now)
            }
        }
        if progress.done > state.last.done {
            let seconds = max(0, now - state.last.time) / Double(progress.done - state.last.done)
            // An exponential mean over some twenty steps: steady, and soon right again after a slow checkpoint.
            state.secondsPerStep = state.secondsPerStep.map { $0 + (seconds - $0) * 0.1 } ?? seconds
        }
        state.last = (progress.done, now)
        if !output.showsProgress { return }
        let width = output.width()
        let isOfSteps = progress.unit == "steps"
        if width == nil && !isOfSteps { return }
        let isLast = progress.done >= progress.total
        let isDue = state.drawn.map {
            isLast && $0.done < progress.done || now - $0.time >= (width == nil ? interval : 0.1)
        }
        guard isDue ?? true else { return }
        state.drawn = (now, progress.done)
        let line = ProgressText(
            progress,
            secondsEach: isOfSteps
                ? state.secondsPerStep
                : progress.done > progress.found
                    ? max(now - state.begin, 1e-3) / Double(progress.done - progress.found) : nil,
            isUnicode: output.isUnicode)
        if let width {
            draw(line.text(width: max(0, width - 1)), &state)
            // Nothing is said of counts after the last one, as it is of a run.
            if isLast && !isOfSteps { finish(&state) }
        } else {
            output.write(line.text(width: nil) + "\n")
        }
    }

    /// Says what is done before the first step or after the last.
    private func announce(_ work: String, _ state: inout State) {
        if !output.showsProgress { return }
        guard let width = output.width() else { return output.write(work + "\n") }
        draw(String(work.prefix(max(0, width - 1))), &state)
    }

    private func draw(_ text: String, _ state: inout State) {
        state.line = text
        Self.drawn.withLock { $0 = self }
        output.write("\r\(text)\u{1B}[K")
    }

    /// Writes a line of its own above the bar.
    package func print(_ message: String) {
        state.withLock { state in
            if let line = state.line {
                output.write("\r\u{1B}[K\(message)\n\(line)")
            } else {
                output.write(message + "\n")
            }
        }
    }

    /// Leaves the bar as it is and goes to the next line.
    package func finish() { state.withLock { finish(&$0) } }

    private func finish(_ state: inout State) {
        if state.line != nil { output.write("\n") }
        state.line = nil
        Self.drawn.withLock { if $0 === self { $0 = nil } }
    }

    /// The bar that stands on the terminal's last line.
    private static let drawn = Mutex<ProgressBar?>(nil)

    /// Writes a line to standard error, above the bar where one is drawn.
    static func printAboveDrawn(_ line: String) {
        if let bar = drawn.withLock({ $0 }) {
            bar.print(line.hasSuffix("\n") ? String(line.dropLast()) : line)
        } else {
            StandardStream.error.write(line)
        }
    }
}
