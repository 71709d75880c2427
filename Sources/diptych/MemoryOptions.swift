import ArgumentParser
import InContextEdit
import Models
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

    /// A size such as `4GiB`.
    struct Budget: ExpressibleByArgument {
        let size: ByteCount
        init?(argument: String) {
            guard let size = ByteCount(argument) else { return nil }
            self.size = size
        }
    }

    /// Puts the budget into force, or the one of a configuration, and prints the plan where there is one or where it is
    /// asked for.
    func enforce(
        _ configured: ByteCount? = nil, tiling: AutoencoderTiling, isVerbose: Bool,
        plan: (_ isStreamed: Bool, _ tiling: AutoencoderTiling) -> MemoryPlan
    ) throws {
        guard let budget = memory?.size ?? configured else {
            if dryRun || isVerbose { print(plan(false, tiling)) }
            return
        }
        // The plan is asked for last with the way that is taken.
        let found = try MemoryPlan.enforce(budget, tiling: tiling, plan: plan).plan
        print(found)
        print(
            "memory     at most \(budget)\(MemoryAccount.releasesWeights ? ", weights streamed from their files" : "")")
    }

    private func print(_ plan: MemoryPlan) {
        for line in plan.lines { print("memory     \(line)") }
    }

    private func print(_ line: String) { StandardStream.error.write(line + "\n") }
}
