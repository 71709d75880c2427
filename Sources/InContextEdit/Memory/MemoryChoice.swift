public import Models
public import NeuralNet
public import TensorCore

/// How a run keeps within a budget of memory: the way that was chosen, to be handed to the models that it is made with.
public struct MemoryChoice: Sendable {
    /// What the run needs this way.
    public let plan: MemoryPlan
    /// When the autoencoder works tile by tile.
    public let tiling: AutoencoderTiling
    /// How the models spend memory.
    public let policy: MemoryPolicy
    /// The most bytes that tensors and waiting blocks of the process may take together; see ``MemoryAccount/ownedLimit``.
    public let ownedLimit: Int
}

extension MemoryPlan {
    /// The first way that keeps within `budget`: everything in memory, weights streamed, weights streamed and the autoencoder in
    /// small tiles (where `tiling` leaves the choice). Nothing is put into force.
    ///
    /// `plan` is asked for the plan of each way, last for the one that is chosen. Throws ``MemoryPlanError`` when none fits.
    public static func choose(
        within budget: ByteCount, tiling: AutoencoderTiling,
        plan: (_ isStreamed: Bool, _ tiling: AutoencoderTiling) -> MemoryPlan
    ) throws(MemoryPlanError) -> MemoryChoice {
        var ways: [(Bool, AutoencoderTiling)] = [(false, tiling), (true, tiling)]
        if tiling.mode == .automatic {
            ways.append((true, AutoencoderTiling(mode: .on, tileSize: min(tiling.tileSize, 64))))
        }
        for (isStreamed, tiling) in ways {
            let found = plan(isStreamed, tiling)
            if found.peak > budget { continue }
            return MemoryChoice(
                plan: found, tiling: tiling,
                policy: MemoryPolicy(releasesWeights: isStreamed, keepsPackedWeights: false),
                ownedLimit: max(0, budget.bytes - MemoryEstimate.program - found.pages))
        }
        throw MemoryPlanError(plan: plan(ways.last!.0, ways.last!.1), budget: budget)
    }

    /// The most pages of weights that are in memory at a time.
    private var pages: Int {
        phases.map { $0.items.filter { $0.name == Self.weightsName }.reduce(0) { $0 + $1.size.bytes } }.max() ?? 0
    }

    /// What plans call the pages of weights.
    public static let weightsName = "weights"
}

extension FrozenEncoders {
    /// Puts a choice into force for the autoencoder and the text encoders.
    public func adopt(_ choice: MemoryChoice) {
        vae.tiling = choice.tiling
        vae.memory = choice.policy
        textEncoders.memory = choice.policy
    }
}

extension EditPipeline {
    /// Puts a choice into force for all models, before the first edit.
    public func adopt(_ choice: MemoryChoice) {
        transformer.memory = choice.policy
        frozenEncoders.adopt(choice)
    }
}
