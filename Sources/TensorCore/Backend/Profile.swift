import Synchronization

/// Where the time of a computation goes, by primitive.
///
/// ```swift
/// let profile = Profile()
/// Device.withBackend(ProfilingBackend(Device.backend, profile)) { step() }
/// print(profile.table(total: seconds))
/// ```
public final class Profile: Sendable {
    /// What one primitive has cost.
    public struct Entry: Sendable {
        /// Calls.
        public var calls = 0
        /// Seconds in all calls.
        public var seconds = 0.0
        /// Floating-point operations of products and attention; 0 for the rest.
        public var operations = 0.0
    }

    private let entries = Mutex<[String: Entry]>([:])

    /// Begins empty.
    public init() {}

    /// What was measured, the costliest first.
    public var sorted: [(name: String, entry: Entry)] {
        entries.withLock { $0.map { ($0.key, $0.value) } }.sorted { $0.1.seconds > $1.1.seconds }
    }

    /// A table of the primitives: share of `total` seconds, seconds, calls, and GFLOP/s where it means something. What is
    /// left over, the work between primitives, is its last row.
    public func table(total: Double) -> String {
        func cell(_ text: String, _ width: Int) -> String {
            String(repeating: " ", count: max(0, width - text.count)) + text
        }
        func fixed(_ value: Double, _ digits: Int) -> String {
            let scale = [1.0, 10, 100, 1000][digits]
            let whole = Int((value * scale).rounded())
            let fraction = String(whole % Int(scale))
            let zeros = String(repeating: "0", count: digits - fraction.count)
            return digits == 0 ? "\(whole)" : "\(whole / Int(scale)).\(zeros)\(fraction)"
        }
        var lines = ["   share   seconds    calls  GFLOP/s  primitive"]
        func row(_ name: String, _ entry: Entry) {
            let rate = entry.operations > 0 ? fixed(entry.operations / entry.seconds / 1e9, 1) : ""
            lines.append(
                cell(fixed(entry.seconds / total * 100, 1), 6) + " %" + cell(fixed(entry.seconds, 3), 10)
                    + cell("\(entry.calls)", 9) + cell(rate, 9) + "  " + name)
        }
        let measured = sorted
        for (name, entry) in measured { row(name, entry) }
        let rest = max(0, total - measured.reduce(0) { $0 + $1.entry.seconds })
        row("between primitives", Entry(calls: 0, seconds: rest))
        return lines.joined(separator: "\n")
    }

    /// Forgets everything.
    public func reset() { entries.withLock { $0 = [:] } }

    func measure<Result>(_ name: String, operations: Double = 0, _ body: () -> Result) -> Result {
        let begin = ContinuousClock.now
        let result = body()
        let seconds = begin.duration(to: .now) / .seconds(1)
        entries.withLock {
            $0[name, default: Entry()].calls += 1
            $0[name, default: Entry()].seconds += seconds
            $0[name, default: Entry()].operations += operations
        }
        return result
    }
}
