import Synchronization
import TensorCore
import TensorIO

/// How well ``SceneOracle`` tells right results from wrong ones: the share of pictures that it lets pass, by kind of edit
/// and of picture.
public struct SceneOracleCheck: Sendable {
    /// What the oracle is shown.
    public enum Sample: String, Sendable, CaseIterable {
        /// The true target.
        case target
        /// The true target with noise of deviation 4 of 255.
        case noise
        /// The true target after a JPEG of quality 90.
        case jpeg
        /// The source as it was.
        case unedited
        /// The right kind of edit with another value: another colour, size, background, weather, style or tone.
        case value
        /// Another thing was added, removed, changed or put in the place of the right one.
        case object
        /// The edit was made at another place.
        case place
        /// The right edit, and something else changed as well.
        case damage

        /// Whether the oracle should let it pass.
        public var isRight: Bool { [.target, .noise, .jpeg].contains(self) }
    }

    /// How many pictures were shown and how many passed.
    public private(set) var counts: [SceneTask: [Sample: (shown: Int, passed: Int)]] = [:]

    /// Shows the oracle every kind of picture for the first `count` edits of a generator.
    public init(_ generator: SceneGenerator, count: Int) throws {
        let oracle = SceneOracle(photos: generator.renderer.photos)
        let state = Mutex((counts: counts, fault: (any Error)?.none))
        parallelFor(count, grain: 1) { range in
            for i in range {
                do {
                    let edit = generator.edit(at: i)
                    var random = Random.counted(seed: generator.options.seed, stream: 0xFE, index: i)
                    for sample in Sample.allCases {
                        guard let picture = try generator.picture(sample, of: edit, &random) else { continue }
                        let passes = oracle.judge(picture, of: edit).isMet
                        state.withLock { state in
                            var entry = state.counts[edit.task]?[sample] ?? (0, 0)
                            entry.shown += 1
                            entry.passed += passes ? 1 : 0
                            state.counts[edit.task, default: [:]][sample] = entry
                        }
                    }
                } catch {
                    state.withLock { $0.fault = error }
                }
            }
        }
        let (counts, fault) = state.withLock { ($0.counts, $0.fault) }
        if let fault { throw fault }
        self.counts = counts
    }

    /// The share of a task's pictures that passed; nil when there were none.
    public func share(_ task: SceneTask, _ sample: Sample) -> Double? {
        counts[task]?[sample].map { Double($0.passed) / Double($0.shown) }
    }

    /// The share of all pictures of a kind that passed.
    public func share(_ sample: Sample) -> Double {
        let entries = counts.values.compactMap { $0[sample] }
        return Double(entries.map(\.passed).reduce(0, +)) / Double(max(1, entries.map(\.shown).reduce(0, +)))
    }

    /// A table in per cent: a line a task, then one of all.
    public var lines: [String] {
        func row(_ name: String, _ cells: [String]) -> String {
            ([name.padded(12)] + cells.map { String(repeating: " ", count: max(0, 10 - $0.count)) + $0 }).joined()
        }
        func percent(_ share: Double?) -> String {
            guard let share else { return "-" }
            let tenths = Int((share * 1000).rounded())
            return "\(tenths / 10).\(tenths % 10)"
        }
        return [row("passed, %", Sample.allCases.map(\.rawValue))]
            + SceneTask.allCases.filter { counts[$0] != nil }.map { task in
                row(task.rawValue, Sample.allCases.map { percent(share(task, $0)) })
            } + [row("all", Sample.allCases.map { percent(share($0)) })]
    }
}

extension String {
    /// With spaces behind it, to a width.
    fileprivate func padded(_ width: Int) -> String { self + String(repeating: " ", count: max(0, width - count)) }
}
