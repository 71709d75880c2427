import Foundation
import TensorCore

/// The line of a ``ProgressBar``: what of a state is said, and how it fits a width.
struct ProgressText {
    private let progress: WorkProgress
    private let secondsEach: Double?
    private let isUnicode: Bool

    /// A line for a state; `secondsEach` is what one of the counted things takes, where it is known.
    init(_ progress: WorkProgress, secondsEach: Double?, isUnicode: Bool) {
        self.progress = progress
        self.secondsEach = secondsEach
        self.isUnicode = isUnicode
    }

    private var isOfSteps: Bool { progress.unit == "steps" }

    /// The line; `nil` is the plain form, any width is kept to.
    func text(width: Int?) -> String {
        // In the order of the line; the parts that matter least go first when there is no room.
        var parts: [(text: String, importance: Int)] = [(count, 6)]
        for (place, figure) in progress.figures.enumerated() {
            parts.append(("\(figure.name) \(Self.figure(figure.value))", place == 0 ? 5 : 1))
        }
        if let secondsEach {
            let rest = progress.total - progress.done
            parts.append((isOfSteps ? Self.rate(secondsEach) : "\(Int(1 / secondsEach).grouped)/s", 2))
            if isOfSteps || rest > 0 {
                parts.append((Self.duration(secondsEach * Double(max(0, rest))) + " left", 4))
            }
        }
        func joined() -> String { parts.map(\.text).joined(separator: "  ") }
        guard let width else { return (isOfSteps ? "step " : "") + joined() }
        while parts.count > 1, joined().count > width {
            let least = parts.indices.min { parts[$0].importance < parts[$1].importance }!
            parts.remove(at: least)
        }
        let text = joined()
        let room = min(40, width - text.count - 2)
        guard room >= 8 else { return String(text.prefix(width)) }
        return bar(cells: room) + "  " + text
    }

    private var count: String {
        isOfSteps
            ? "\(progress.done)/\(progress.total)"
            : "\(progress.done.grouped)/\(progress.total.grouped) \(progress.unit)"
    }

    private func bar(cells: Int) -> String {
        let share = progress.total > 0 ? min(1, max(0, Double(progress.done) / Double(progress.total))) : 1
        guard isUnicode else {
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
