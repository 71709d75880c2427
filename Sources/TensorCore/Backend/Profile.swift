import Synchronization

/// Where the time of a computation goes, by primitive, and the memory, by phase.
///
/// ```swift
/// let profile = Profile()
/// profile.record { step() }
/// print(profile.table(total: seconds))
/// ```
///
/// Code that has phases, such as a training step, marks them with ``phase(_:_:)``.
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

    /// What one phase has cost.
    public struct Phase: Sendable {
        /// Times it ran.
        public var calls = 0
        /// Seconds in all.
        public var seconds = 0.0
        /// Floating-point operations of products and attention in all.
        public var operations = 0.0
        /// The most bytes that tensors owned at a moment of it, those of before included.
        public var peakBytes = 0
    }

    private let entries = Mutex<[String: Entry]>([:])
    private let measuredPhases = Mutex<[(name: String, phase: Phase)]>([])
    @TaskLocal private static var current: Profile?

    /// Whether matrix products are told apart by their extents.
    public let showsShapes: Bool

    /// Begins empty.
    public init(showsShapes: Bool = false) { self.showsShapes = showsShapes }

    /// Runs `body` on the present backend with a clock on every primitive, and measures its phases.
    public func record<Result>(_ body: () throws -> Result) rethrows -> Result {
        try Self.$current.withValue(self) {
            try Device.withBackend(ProfilingBackend(Device.backend, self), body)
        }
    }

    /// Marks what `body` does as the phase of that name in the profile that records now, if one does.
    public static func phase<Result>(_ name: String, _ body: () throws -> Result) rethrows -> Result {
        guard let current else { return try body() }
        let (begin, before) = (ContinuousClock.now, current.operations)
        let (result, peak) = try MemoryAccount.measuringPeak(body)
        let seconds = begin.duration(to: .now) / .seconds(1)
        current.measuredPhases.withLock { phases in
            let place = phases.firstIndex { $0.name == name } ?? phases.count
            if place == phases.count { phases.append((name, Phase())) }
            phases[place].phase.calls += 1
            phases[place].phase.seconds += seconds
            phases[place].phase.operations += current.operations - before
            phases[place].phase.peakBytes = max(phases[place].phase.peakBytes, peak)
        }
        return result
    }

    private var operations: Double { entries.withLock { $0.values.reduce(0) { $0 + $1.operations } } }

    /// The phases in the order of their first runs.
    public var phases: [(name: String, phase: Phase)] { measuredPhases.withLock { $0 } }

    /// What was measured, the costliest first.
    public var sorted: [(name: String, entry: Entry)] {
        entries.withLock { $0.map { ($0.key, $0.value) } }.sorted { $0.1.seconds > $1.1.seconds }
    }

    /// A table of the primitives: share of `total` seconds, seconds, calls, and GFLOP/s where it means something. What is
    /// left over, the work between primitives, is its last row. The phases follow, each with its share, its seconds, its rate
    /// and its peak of memory.
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
        if !phases.isEmpty { lines.append("   share   seconds    calls  GFLOP/s  peak MB  phase") }
        for (name, phase) in phases {
            lines.append(
                cell(fixed(phase.seconds / total * 100, 1), 6) + " %" + cell(fixed(phase.seconds, 3), 10)
                    + cell("\(phase.calls)", 9)
                    + cell(phase.operations > 0 ? fixed(phase.operations / phase.seconds / 1e9, 1) : "", 9)
                    + cell("\(phase.peakBytes >> 20)", 9) + "  " + name)
        }
        return lines.joined(separator: "\n")
    }

    /// Forgets everything.
    public func reset() {
        entries.withLock { $0 = [:] }
        measuredPhases.withLock { $0 = [] }
    }

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
