import Adapters
import Autograd
import Models
import NeuralNet
import TensorCore
import TensorIO
import TestSupport
import Testing

/// The modulations of all blocks at once against each block's own, with adapters beside all of them.
@Suite struct ModulationTests {
    private struct Outcome {
        var output: Tensor
        /// Of the adapters, then of latents, text and pooled text.
        var gradients: [(name: String, gradient: Tensor)]
        /// Launches of several products.
        var launches: Int
        var blocks: Int
    }

    private static func outcome(releasing: Bool, checkpointing: Bool, _ type: DType) throws -> Outcome {
        let model = try FluxTransformer.load(folder: Fixtures.path("tiny-random-fill/transformer"))
        model.memory.releasesWeights = releasing
        model.usesGradientCheckpointing = checkpointing
        let adapters = try AdapterSet(
            injecting: AdapterConfiguration([
                AdapterRule(
                    LoRAMethod(rank: 4), targets: ["*.norm1.linear", "*.norm.linear", "norm_out.linear"]),
                AdapterRule(LoRAMoEMethod(rank: 2), targets: ["*.norm1_context.linear"]),
            ]), into: model, seed: 1)
        // Up projections begin as zeros, which would keep gradients from the down projections.
        for (place, entry) in adapters.parameters.enumerated() {
            entry.parameter.replace(Tensor.sample(entry.parameter.shape, seed: UInt64(place)) * 0.2)
        }
        let inputs = try SafetensorsFile(path: Fixtures.path("moe.before.top1/inputs.safetensors"))
        func variable(_ value: Tensor) -> Variable { Variable(value.converted(to: type), requiresGradient: true) }
        let time = try inputs.tensor("in.t")
        let input = FluxInput(
            latents: variable(.concatenated([try inputs.tensor("in.x0"), try inputs.tensor("in.cond")], axis: -1)),
            text: variable(try inputs.tensor("in.text")), pooled: variable(try inputs.tensor("in.pooled")),
            timestep: time, guidance: Tensor(full: time.shape, 1), imageIDs: try inputs.tensor("in.img_ids"),
            textIDs: try inputs.tensor("in.txt_ids"))
        let profile = Profile()
        let target = try inputs.tensor("in.noise")
        let (output, side) = profile.record {
            let (output, side) = AuxiliaryOutputs.collecting { model(input) }
            let report = adapters.routingReport(side)
            (output.meanSquaredError(target) + report.loadBalance * 0.1).backward()
            return (output.value, side)
        }
        #expect(side.count == model.configuration.numLayers)
        let leaves =
            adapters.parameters.map { ($0.name, $0.parameter.variable) }
            + [("latents", input.latents), ("text", input.text), ("pooled", input.pooled)]
        return Outcome(
            output: output, gradients: try leaves.map { ($0.0, try #require($0.1.gradient, "no gradient of \($0.0)")) },
            launches: profile.sorted.first { $0.name == "matrix products together" }?.entry.calls ?? 0,
            blocks: model.configuration.numLayers + model.configuration.numSingleLayers)
    }

    /// In a process of its own: whether weights are given back is one for the process.
    @Test func atOnceOrBlockByBlock() async {
        await #expect(processExitsWith: .success) {
            for type in [DType.float32, .bfloat16] {
                let plain = try Self.outcome(releasing: false, checkpointing: false, type)
                let checkpointed = try Self.outcome(releasing: false, checkpointing: true, type)
                let own = try Self.outcome(releasing: true, checkpointing: false, type)
                let ownAgain = try Self.outcome(releasing: true, checkpointing: true, type)
                Self.expectEqual(checkpointed, plain, "\(type), checkpointed")
                Self.expectEqual(ownAgain, own, "\(type), block by block, checkpointed")
                // Behind the conditioning the blocks' shares are rounded one by one where each block computes its own.
                Self.expectEqual(own, plain, "\(type), block by block", pooled: type == .float32 ? 1e-5 : 0.02)
                // Forwards, again, and backwards for the up projections.
                let blocks = plain.blocks
                #expect(plain.launches == 2 && checkpointed.launches == 2)
                #expect(own.launches == 2 * blocks + 2 && ownAgain.launches == 3 * blocks + 2)
            }
        }
    }

    /// The same bits, but for the pooled text's gradient where another distance is allowed, relative to its norm.
    private static func expectEqual(_ a: Outcome, _ b: Outcome, _ what: String, pooled tolerance: Float = 0) {
        #expect(a.output.isIdentical(to: b.output), "\(what)")
        #expect(a.gradients.map(\.name) == b.gradients.map(\.name))
        func norm(_ x: Tensor) -> Float { Float(Device.backend.sumOfSquares(x).squareRoot()) }
        for ((name, x), (_, y)) in zip(a.gradients, b.gradients) {
            #expect(norm(y) > 0, "\(what): no gradient of \(name)")
            if tolerance > 0 && name == "pooled" {
                let distance = norm(x - y) / norm(y)
                print("\(what): \(name) \(distance) apart")
                #expect(distance <= tolerance, "\(what): \(name) \(distance) apart")
            } else {
                #expect(x.isIdentical(to: y), "\(what): \(name)")
            }
        }
    }
}
