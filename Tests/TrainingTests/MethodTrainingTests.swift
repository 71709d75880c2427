import Adapters
import Autograd
import Foundation
import InContextEdit
import Models
import TensorCore
import TensorIO
import TestSupport
import Testing
import Training

/// A run of every method: trained, stopped and resumed, exported, loaded again and begun from.
@Suite(.serialized) struct MethodTrainingTests {
    struct Case: CustomTestStringConvertible {
        let name: String
        let change: @Sendable (inout RunConfiguration) -> Void
        var testDescription: String { name }
    }

    static let cases = [
        Case(name: "lora") { $0.adapter.lora?.targets = targets },
        Case(name: "dora") {
            $0.adapter.dora = RunConfiguration.DoRA()
            $0.adapter.dora?.rank = 4
            $0.adapter.dora?.targets = targets
        },
        Case(name: "lokr") {
            $0.adapter.lora = nil
            $0.adapter.lokr = RunConfiguration.LoKr()
            $0.adapter.lokr?.rank = 3
            $0.adapter.lokr?.targets = targets
        },
    ]

    static let targets = ["transformer_blocks.*.attn.to_q", "single_transformer_blocks.*.proj_out"]

    /// What a transformer makes of fixed inputs.
    private func output(_ transformer: FluxTransformer) -> [Float] {
        var random = Random(seed: 3)
        let model = transformer.configuration
        let input = FluxInput(
            latents: Variable(random.randn([1, 8, model.inChannels])),
            text: Variable(random.randn([1, 4, model.jointAttentionDim])),
            pooled: Variable(random.randn([1, model.pooledProjectionDim])), timestep: Tensor([0.3] as [Float], [1]),
            guidance: Tensor([1] as [Float], [1]),
            imageIDs: Tensor((0..<8).flatMap { [Float(0), Float($0 / 4), Float($0 % 4)] }, [8, 3]),
            textIDs: Tensor(zeros: [4, 3]))
        return withoutGradients { transformer(input).value.floats }
    }

    private func base() throws -> FluxTransformer {
        try PipelineParts(folder: Fixtures.path("tiny-random-fill")).loadTransformer()
    }

    @Test(arguments: cases) func trainsResumesExportsAndLoads(_ given: Case) throws {
        let fixture = try TrainingFixture(pairs: 3)
        defer { fixture.remove() }
        func run(_ name: String, steps: Int) -> RunConfiguration {
            fixture.configuration(name, steps: steps) {
                $0.optimizer.name = .adamw
                $0.optimizer.learningRate = 0.01
                $0.adapter.moe = nil
                given.change(&$0)
            }
        }
        let whole = try fixture.train(run("whole", steps: 4))
        #expect(whole.count == 4 && whole.allSatisfy { $0.loss.isFinite && ($0.gradNorm ?? 0) > 0 })
        try fixture.train(run("parts", steps: 2))
        let half = try RunFolder.checkpoint(at: run("parts", steps: 2).output.folder)
        let resumed = try fixture.train(run("parts", steps: 4), resuming: half)
        #expect(resumed.map(\.loss) == whole.map(\.loss))

        // The configuration in the checkpoint is the run's.
        let checkpoint = try RunCheckpoint(path: RunFolder.checkpoint(at: run("whole", steps: 4).output.folder))
        let configuration = try RunConfiguration.parse(checkpoint.configuration)
        #expect(configuration.adapterConfiguration == run("whole", steps: 4).adapterConfiguration)
        let trained = try base()
        let plain = output(trained)
        let set = try AdapterSet(injecting: configuration.adapterConfiguration, into: trained, seed: 1)
        try set.restoreParameters(from: checkpoint.parameters)
        let expected = output(trained)
        #expect(expected != plain)

        let exported = try ExportedAdapters(
            parameters: checkpoint.parameters, configuration: configuration.adapterConfiguration, format: .diptych,
            naming: .flux(trained.configuration))
        let file = fixture.folder.appending(path: "adapter.safetensors").path
        try SafetensorsFile.write(exported.tensors, metadata: exported.metadata, to: file)
        let loaded = try base()
        _ = try AdapterSet(loading: SafetensorsFile(path: file), into: loaded, naming: .flux(loaded.configuration))
        #expect(output(loaded) == expected)

        for start in [file, run("whole", steps: 4).output.folder] {
            var next = run("next", steps: 1)
            next.adapter.startFrom = start
            let trainer = try Trainer(next)
            #expect(trainer.task.notices.isEmpty && output(trainer.transformer) == expected, "\(trainer.task.notices)")
        }
    }
}
