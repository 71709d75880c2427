import Foundation
import InContextEdit
import Models
import NeuralNet
import TensorCore
import TestSupport
import Testing

/// Plans of memory and what enforces them.
@Suite struct MemoryPlanTests {
    private func plan(_ streamed: Int, _ whole: Int, tiled: Int = 0) -> (Bool, AutoencoderTiling) -> MemoryPlan {
        { isStreamed, tiling in
            MemoryPlan(
                always: [.init("program", 100)],
                phases: [
                    .init("text", [.init(MemoryPlan.weightsName, isStreamed ? streamed : whole)]),
                    .init("image", [.init("activations", tiling.mode == .on ? tiled : 500)]),
                ])
        }
    }

    @Test func planChoosesTheLeastChange() throws {
        func choose(_ budget: Int, _ tiling: AutoencoderTiling = .init()) throws -> MemoryChoice {
            try MemoryPlan.choose(within: ByteCount(budget), tiling: tiling, plan: plan(10, 1000))
        }
        let all = try choose(1100)
        #expect(all.plan.peak.bytes == 1100 && !all.policy.releasesWeights && all.tiling.mode == .automatic)
        // Within a budget nothing is kept twice.
        #expect(!all.policy.keepsPackedWeights && MemoryPolicy().keepsPackedWeights)
        let streamed = try choose(1099)
        #expect(streamed.plan.peak.bytes == 600 && streamed.policy.releasesWeights)
        let tiled = try choose(599)
        #expect(tiled.plan.peak.bytes == 110 && tiled.tiling.mode == .on)
        let error = #expect(throws: MemoryPlanError.self) { _ = try choose(109) }
        #expect(
            error?.description
                == "memory: expected at least 110 B for text: 110 B (program 100 B, weights 10 B), found 109 B")
        // Where the user forbade tiles there are none.
        #expect(throws: MemoryPlanError.self) { _ = try choose(599, .init(mode: .off)) }
    }

    /// The factors were measured at full size, where the peaks lay below them: smaller ones would promise what does not fit.
    @Test func estimatesAreThoseThatWereMeasured() throws {
        let model = try EditPipeline(path: Fixtures.path("tiny-random-fill")).transformer.configuration
        let state = 2 * 100 * model.innerDimension * 4
        let blocks = model.numLayers + model.numSingleLayers
        #expect(MemoryEstimate.sampling(model, tokens: 100, batch: 2, .float32) == 18 * state)
        for (checkpointing, factor) in [(true, blocks + 48), (false, 26 * blocks + 24)] {
            let found = MemoryEstimate.training(
                model, tokens: 100, batch: 2, .float32, checkpointing: checkpointing)
            #expect(found == factor * state)
        }
    }

    /// Streamed weights give the pages back, and the output is the same bit for bit.
    @Test func streamedWeightsGiveTheSameOutput() async {
        await #expect(processExitsWith: .success) {
            let pipeline = try EditPipeline(path: Fixtures.path("tiny-random-fill"))
            let image = Tensor.sample([1, 3, 64, 128], seed: 1)
            func run() throws -> [Tensor] {
                let encoded = try pipeline.encode(["make it night"], maximumLength: 16)
                return [encoded.text, encoded.pooled, try pipeline.frozenEncoders.packedLatents(image)]
            }
            let expected = try run()
            let other = try EditPipeline(path: Fixtures.path("tiny-random-fill"))
            let plan = MemoryPlan(always: [], phases: [.init("all", [.init(MemoryPlan.weightsName, 0)])])
            let choice = try MemoryPlan.choose(within: ByteCount(1 << 30), tiling: .init()) { isStreamed, _ in
                isStreamed ? plan : MemoryPlan(always: [.init("all", 2 << 30)], phases: plan.phases)
            }
            pipeline.adopt(choice)
            #expect(pipeline.transformer.memory.releasesWeights && pipeline.textEncoders.t5.memory.releasesWeights)
            #expect(pipeline.vae.memory == choice.policy)
            // Another pipeline of the process is as it was.
            #expect(other.transformer.memory == MemoryPolicy() && other.vae.memory == MemoryPolicy())
            let found = try run()
            for (a, b) in zip(found, expected) { #expect(a.isIdentical(to: b)) }
            let weights = FrozenWeights(
                pipeline.transformer, vae: pipeline.vae, textEncoders: pipeline.textEncoders)
            #expect(weights.mappedByteCount > 0 && weights.ownedByteCount == 0)
            #expect(weights.transformerPages(isStreamed: true) < weights.transformerPages(isStreamed: false))
            let stream = pipeline.transformer.weightStream
            #expect(stream.windowByteCount < stream.byteCount)
            for index in [0, 1, 2, 3, 4, 3, 2, 1, 0] { stream.enter(index) }
            stream.leave()
        }
    }

    /// What tensors keep stays within the limit.
    @Test func keptBlocksRespectTheLimit() async {
        await #expect(processExitsWith: .success) {
            _ = Tensor(zeros: [8 << 20])
            MemoryAccount.ownedLimit = MemoryAccount.currentBytes + (4 << 20)
            #expect(MemoryAccount.keptBytes <= 4 << 20)
            _ = Tensor(zeros: [1 << 19])
            #expect(MemoryAccount.currentBytes + MemoryAccount.keptBytes <= MemoryAccount.ownedLimit!)
            MemoryAccount.ownedLimit = nil
            #expect(MemoryAccount.ownedLimit == nil)
        }
    }
}
