import Training

/// A line that is drawn again in place on a terminal, at most ten times a second; elsewhere, and with `--quiet`, silent.
struct ProgressLine: Sendable {
    private let total: Int
    private let noun: String
    private let begin: Double
    private var drawn: Double?

    /// A line for `total` things of a name in the plural.
    init(total: Int, of noun: String) {
        self.total = total
        self.noun = noun
        begin = ProgressOutput.standardError.now()
    }

    /// Shows how many are done, and how many of these were there before.
    mutating func show(_ done: Int, found: Int = 0) {
        let output = ProgressOutput.standardError
        guard Verbosity.current != .quiet, let width = output.width() else { return }
        let now = output.now()
        let isLast = done == total
        guard isLast || drawn.map({ now - $0 >= 0.1 }) ?? true else { return }
        drawn = now
        var text = "\(done.grouped)/\(total.grouped) \(noun)"
        let rate = Double(done - found) / max(now - begin, 1e-3)
        if done > found {
            text += "  \(Int(rate).grouped)/s"
            if !isLast { text += "  \(Self.time(Double(total - done) / max(rate, 1e-3))) left" }
        }
        let room = min(40, width - 1 - text.count - 2)
        if room >= 8 { text = bar(Double(done) / Double(max(total, 1)), cells: room, output.isUnicode) + "  " + text }
        output.write("\r\(text.prefix(max(0, width - 1)))\u{1B}[K" + (isLast ? "\n" : ""))
    }

    private func bar(_ share: Double, cells: Int, _ isUnicode: Bool) -> String {
        let full = Int(share * Double(cells))
        let (mark, rest) = isUnicode ? ("█", "░") : ("#", "-")
        return String(repeating: mark, count: full) + String(repeating: rest, count: cells - full)
    }

    private static func time(_ seconds: Double) -> String {
        let whole = Int(min(seconds, 1e9).rounded())
        let rest = whole % 60
        return "\(whole / 60):" + (rest < 10 ? "0" : "") + "\(rest)"
    }
}
