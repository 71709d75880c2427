public import TensorCore

/// What a run needs in memory, phase by phase, told before it begins.
///
/// Weights are counted as they lie in their files; where they do not all fit, those of the transformer and of T5 are
/// streamed block by block, so that two blocks are in memory at a time. Activations are estimates; see
/// ``MemoryEstimate``.
public struct MemoryPlan: Sendable {
    /// Something that takes memory.
    public struct Item: Sendable, Hashable {
        /// What it is.
        public let name: String
        /// Its size.
        public let size: ByteCount

        /// Names a size.
        public init(_ name: String, _ bytes: Int) { (self.name, size) = (name, ByteCount(bytes)) }
    }

    /// What is in memory at the same time.
    public struct Phase: Sendable {
        /// What is done then.
        public let name: String
        /// What it takes, besides what is always there.
        public let items: [Item]

        /// Collects both.
        public init(_ name: String, _ items: [Item]) { (self.name, self.items) = (name, items) }
    }

    /// What is there from the beginning to the end.
    public let always: [Item]
    /// The phases in their order.
    public let phases: [Phase]

    /// Collects both.
    public init(always: [Item], phases: [Phase]) { (self.always, self.phases) = (always, phases) }

    /// What a phase takes with all that is always there.
    public func size(of phase: Phase) -> ByteCount {
        ByteCount((always + phase.items).reduce(0) { $0 + $1.size.bytes })
    }

    /// The phase that takes most.
    public var largest: Phase { phases.max { size(of: $0) < size(of: $1) }! }

    /// What the largest phase takes.
    public var peak: ByteCount { size(of: largest) }

    /// A line for each phase: what it takes and of what this is made.
    public var lines: [String] {
        phases.map { phase in
            let parts = (always + phase.items).filter { $0.size.bytes > 0 }.map { "\($0.name) \($0.size)" }
            return "\(phase.name): \(size(of: phase)) (\(parts.joined(separator: ", ")))"
        }
    }
}

/// A run that needs more memory than it may take.
public struct MemoryPlanError: Error, CustomStringConvertible {
    /// What it needs.
    public let plan: MemoryPlan
    /// What it may take.
    public let budget: ByteCount
    /// What says how much that is, as a user spells it.
    public var setting = "memory"

    /// One line: what is needed for what, and what is there.
    public var description: String {
        "\(setting): expected at least \(plan.peak) for \(plan.lines.first { $0.hasPrefix(plan.largest.name) } ?? ""), "
            + "found \(budget)"
    }
}
