import ArgumentParser
import InContextEdit
import Models
import NeuralNet
import TensorCore
import Training

/// The flags that bound a run's memory.
struct MemoryOptions: ParsableArguments {
    @Option(
        name: .long,
        help: """
            The most memory that the run may take, such as 4GiB: weights are streamed from their files and images coded in \
            tiles where it asks for that; a run that cannot fit is refused.
            """)
    var memory: Budget?

    @Flag(name: .long, help: "Print what the run will need in memory, phase by phase, and stop.")
    var dryRun = false

    @Flag(name: .long, help: "With --dry-run: print the need as JSON.")
    var json = false

    func validate() throws {
        if json && !dryRun { throw ValidationError("--json: expected it with --dry-run, found it alone") }
    }

    /// A size such as `4GiB`.
    struct Budget: ExpressibleByArgument {
        let size: ByteCount
        init?(argument: String) {
            guard let size = ByteCount(argument) else { return nil }
            self.size = size
        }
    }

    /// How to keep within the budget, or the one of a configuration; nil without either. Prints the plan where there is a budget
    /// or where it is asked for.
    func choose(
        _ configured: ByteCount? = nil, tiling: AutoencoderTiling, isVerbose: Bool,
        plan: (_ isStreamed: Bool, _ tiling: AutoencoderTiling) -> MemoryPlan
    ) throws -> MemoryChoice? {
        guard let budget = memory?.size ?? configured else {
            if dryRun || isVerbose { try print(plan(false, tiling), isStreamed: false) }
            return nil
        }
        let choice: MemoryChoice
        do {
            choice = try MemoryPlan.choose(within: budget, tiling: tiling, plan: plan)
        } catch {
            var error = error
            error.setting = memory == nil ? "training.memory" : "--memory"
            throw error
        }
        if Verbosity.current == .quiet && !dryRun { return choice }
        let isStreamed = choice.policy.releasesWeights
        try print(choice.plan, isStreamed: isStreamed, budget: budget)
        if !json { print("memory     at most \(budget)\(isStreamed ? ", weights streamed from their files" : "")") }
        return choice
    }

    private func print(_ plan: MemoryPlan, isStreamed: Bool, budget: ByteCount? = nil) throws {
        if json {
            try Swift.print(JSONText.of(MemoryReport(plan, isStreamed: isStreamed, budget: budget)))
        } else {
            for line in plan.lines { print("memory     \(line)") }
        }
    }

    private func print(_ line: String) { StandardStream.error.write(line + "\n") }
}

/// A plan of memory as JSON: bytes, by phase.
struct MemoryReport: Encodable {
    var phases: [Phase]
    /// What the largest phase takes.
    var peakBytes: Int
    /// What the run may take; absent where there is no limit.
    var budgetBytes: Int?
    /// Whether weights go as they were used and are read again.
    var streamsWeights: Bool

    struct Phase: Encodable {
        var name: String
        var bytes: Int
        var items: [Item]
    }

    struct Item: Encodable {
        var name: String
        var bytes: Int
    }

    init(_ plan: MemoryPlan, isStreamed: Bool, budget: ByteCount?) {
        phases = plan.phases.map { phase in
            Phase(
                name: phase.name, bytes: plan.size(of: phase).bytes,
                items: (plan.always + phase.items).map { Item(name: $0.name, bytes: $0.size.bytes) })
        }
        peakBytes = plan.peak.bytes
        budgetBytes = budget?.bytes
        streamsWeights = isStreamed
    }
}
