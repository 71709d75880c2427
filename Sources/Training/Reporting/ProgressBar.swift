import Foundation

/// The state of a run in one line: bar, step, loss, load balance, rate and time left.
///
/// On a terminal the line is drawn again in place, at most ten times a second, and fits the terminal's width whatever
/// it is; elsewhere a plain line is written every `interval` seconds and at the last step. An output that shows no progress
/// gets only what ``print(_:)`` says.
///
///     let bar = ProgressBar(total: run.training.steps)
///     bar.update(step: step, loss: loss, loadBalance: balance)
///     bar.finish()
public final class ProgressBar {
    /// Steps of the whole run.
    public let total: Int
    private let output: ProgressOutput
    private let interval: Double
    private var last: (step: Int, time: Double)
    private var secondsPerStep: Double?
    private var drawn: (time: Double, step: Int)?
    private var line: String?

    /// Starts the clock of a run of `total` steps of which `done` lie behind it.
    public init(
        total: Int, done: Int = 0, interval: Double = 10, output: ProgressOutput = .standardError
    ) {
        self.total = total
        self.interval = interval
        self.output = output
        last = (done, output.now())
    }

    /// Takes the state after `step` steps.
    public func update(step: Int, loss: Double? = nil, loadBalance: Double? = nil) {
        let now = output.now()
        if step > last.step {
            let seconds = max(0, now - last.time) / Double(step - last.step)
            // An exponential mean over some twenty steps: steady, and soon right again after a slow checkpoint.
            secondsPerStep = secondsPerStep.map { $0 + (seconds - $0) * 0.1 } ?? seconds
        }
        last = (step, now)
        if !output.showsProgress { return }
        let width = output.width()
        let isDue = drawn.map { step >= total && $0.step < step || now - $0.time >= (width == nil ? interval : 0.1) }
        guard isDue ?? true else { return }
        drawn = (now, step)
        if let width {
            let text = render(step: step, loss: loss, loadBalance: loadBalance, width: max(0, width - 1))
            line = text
            output.write("\r\(text)\u{1B}[K")
        } else {
            output.write(render(step: step, loss: loss, loadBalance: loadBalance, width: nil) + "\n")
        }
    }

    /// Says what is done before the first step or after the last.
    public func announce(_ work: String) {
        if !output.showsProgress { return }
        guard let width = output.width() else { return output.write(work + "\n") }
        let text = String(work.prefix(max(0, width - 1)))
        line = text
        output.write("\r\(text)\u{1B}[K")
    }

    /// Writes a line of its own above the bar.
    public func print(_ message: String) {
        if let line {
            output.write("\r\u{1B}[K\(message)\n\(line)")
        } else {
            output.write(message + "\n")
        }
    }

    /// Leaves the bar as it is and goes to the next line.
    public func finish() {
        if line != nil { output.write("\n") }
        line = nil
    }

    /// The line; `nil` is the plain form, any width is kept to.
    private func render(step: Int, loss: Double?, loadBalance: Double?, width: Int?) -> String {
        // In the order of the line; the parts that matter least go first when there is no room.
        var parts: [(text: String, importance: Int)] = [("\(step)/\(total)", 5)]
        if let loss { parts.append(("loss \(Self.figure(loss))", 4)) }
        if let loadBalance { parts.append(("balance \(Self.figure(loadBalance))", 1)) }
        if let secondsPerStep {
            parts.append((Self.rate(secondsPerStep), 2))
            parts.append((Self.duration(secondsPerStep * Double(max(0, total - step))) + " left", 3))
        }
        func joined() -> String { parts.map(\.text).joined(separator: "  ") }
        guard let width else { return "step " + joined() }
        while parts.count > 1, joined().count > width {
            let least = parts.indices.min { parts[$0].importance < parts[$1].importance }!
            parts.remove(at: least)
        }
        let text = joined()
        let room = min(40, width - text.count - 2)
        guard room >= 8 else { return String(text.prefix(width)) }
        return bar(step: step, cells: room) + "  " + text
    }

    private func bar(step: Int, cells: Int) -> String {
        let share = total > 0 ? min(1, max(0, Double(step) / Double(total))) : 1
        guard output.isUnicode else {
            let full = Int(share * Double(cells - 2))
            return "[" + String(repeating: "#", count: full) + String(repeating: "-", count: cells - 2 - full) + "]"
        }
        let full = Int(share * Double(cells))
        return String(repeating: "█", count: full) + String(repeating: "░", count: cells - full)
    }

    /// Four significant digits.
    private static func figure(_ value: Double) -> String {
        guard value.isFinite else { return value.isNaN ? "nan" : value < 0 ? "-inf" : "inf" }
        let size = abs(value)
        if size != 0, size < 1e-3 || size >= 1e4 { return String(format: "%.3e", value) }
        return String(format: size < 10 ? "%.4f" : size < 100 ? "%.3f" : "%.1f", value)
    }

    private static func rate(_ secondsPerStep: Double) -> String {
        if secondsPerStep <= 0 { return "∞ steps/s" }
        return secondsPerStep < 1
            ? String(format: "%.2f steps/s", 1 / secondsPerStep) : String(format: "%.2f s/step", secondsPerStep)
    }

    /// `0:07`, `12:34`, `5:06:07`, `3d 04h`.
    private static func duration(_ seconds: Double) -> String {
        let whole = Int(min(seconds, 1e9).rounded())
        let (days, hours, minutes) = (whole / 86400, whole / 3600 % 24, whole / 60 % 60)
        if days > 0 { return String(format: "%dd %02dh", days, hours) }
        if hours > 0 { return String(format: "%d:%02d:%02d", hours, minutes, whole % 60) }
        return String(format: "%d:%02d", minutes, whole % 60)
    }
}
