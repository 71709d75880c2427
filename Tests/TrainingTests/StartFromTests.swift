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

/// `adapter.start_from`: a run that begins with trained weights.
@Suite(.serialized) struct StartFromTests {
    private let fixture: TrainingFixture

    init() throws { fixture = try TrainingFixture(pairs: 3) }

    private func path(_ name: String) -> String { fixture.folder.appending(path: name).path }

    /// What a transformer with its adapters makes of fixed inputs.
    private func output(_ transformer: FluxTransformer) -> [Float] {
        var random = Random(seed: 3)
        let model = transformer.configuration
        let latents = Variable(random.randn([1, 8, model.inChannels]))
        let text = Variable(random.randn([1, 4, model.jointAttentionDim]))
        let pooled = Variable(random.randn([1, model.pooledProjectionDim]))
        let places: [Float] = (0..<8).flatMap { place -> [Float] in [0, Float(place / 4), Float(place % 4)] }
        let guidance: Tensor? = model.guidanceEmbeds ? Tensor([1] as [Float], [1]) : nil
        let input = FluxInput(
            latents: latents, text: text, pooled: pooled, timestep: Tensor([0.3] as [Float], [1]), guidance: guidance,
            imageIDs: Tensor(places, [8, 3]), textIDs: Tensor(zeros: [4, 3]))
        return withoutGradients { transformer(input).value.floats }
    }

    private func base() throws -> FluxTransformer {
        try PipelineParts(folder: Fixtures.path("tiny-random-fill")).loadTransformer()
    }

    /// Trains a little and writes what came of it in every layout that can hold it.
    private func trained(_ change: (inout RunConfiguration) -> Void) throws -> RunConfiguration {
        let configuration = fixture.configuration("first", steps: 2) {
            $0.optimizer.name = .adamw
            $0.optimizer.learningRate = 0.05
            change(&$0)
        }
        try fixture.train(configuration)
        return configuration
    }

    private func export(_ run: RunConfiguration, _ format: AdapterFormat) throws -> String {
        let checkpoint = try RunCheckpoint(path: RunFolder.checkpoint(at: run.output.folder))
        let contents = try ExportedAdapters(
            parameters: checkpoint.parameters, configuration: run.adapterConfiguration, format: format,
            naming: .flux(try base().configuration))
        let file = path("\(format).safetensors")
        try SafetensorsFile.write(contents.tensors, metadata: contents.metadata, to: file)
        return file
    }

    private func begun(
        _ run: RunConfiguration, from start: String, _ change: (inout RunConfiguration) -> Void = { _ in }
    )
        throws -> Trainer<RunConfiguration>
    {
        var next = run
        next.output.folder = path("second")
        next.training.seed = 99
        next.adapter.startFrom = start
        change(&next)
        return try Trainer(next)
    }

    @Test func plainFilesOfAllLayoutsAndRuns() throws {
        defer { fixture.remove() }
        let run = try trained { $0.adapter.moe = nil }
        let plain = output(try base())
        for format in [AdapterFormat.peft, .kohya, .comfyui, .icedit, .diptych] {
            let file = try export(run, format)
            let transformer = try base()
            _ = try AdapterSet(
                loading: SafetensorsFile(path: file), into: transformer, naming: .flux(transformer.configuration))
            let expected = output(transformer)
            #expect(expected != plain, "training changed something")
            let trainer = try begun(run, from: file)
            // Scales that a layout multiplies in are another alpha; the ratio is a power of two.
            #expect(
                trainer.task.notices.count == [AdapterFormat.icedit, .kohya].count { $0 == format },
                "\(trainer.task.notices)")
            #expect(output(trainer.transformer) == expected, "\(format)")
        }
        let transformer = try base()
        let adapters = try AdapterSet(injecting: run.adapterConfiguration, into: transformer, seed: 1)
        try adapters.restoreParameters(
            from: RunCheckpoint(path: RunFolder.checkpoint(at: run.output.folder)).parameters)
        for start in [run.output.folder, try RunFolder.checkpoint(at: run.output.folder)] {
            #expect(try output(begun(run, from: start).transformer) == output(transformer))
        }
    }

    @Test func mixturesGoIntoMixtures() throws {
        defer { fixture.remove() }
        let run = try trained { $0.adapter.moe?.gate = .softmaxAfterTopK }
        for start in [try export(run, .diptych), run.output.folder] {
            let transformer = try base()
            let adapters = try AdapterSet(injecting: run.adapterConfiguration, into: transformer, seed: 1)
            try adapters.restoreParameters(
                from: RunCheckpoint(path: RunFolder.checkpoint(at: run.output.folder)).parameters)
            let trainer = try begun(run, from: start)
            #expect(trainer.task.notices.isEmpty && output(trainer.transformer) == output(transformer))
        }
        // As ICEdit's released weights: a gate that trains its router may take the place of theirs.
        let other = try begun(run, from: run.output.folder) { $0.adapter.moe?.gate = .softmaxBeforeTopK }
        #expect(other.task.notices.count == 1)
        #expect(
            other.task.notices[0]
                == "adapter.start_from: mixtures were trained with adapter.moe.gate softmax_after_top_k, top_k 1, renormalize false; with other values here the first outputs are not those of \(try RunFolder.checkpoint(at: run.output.folder))",
            "\(other.task.notices)")
        #expect(other.adapters.mixtures[0].router.weight.value.floats.contains { $0 != 0 })
    }

    @Test func plainLoRAsIntoTheLoRAsBesideMixtures() throws {
        defer { fixture.remove() }
        let targets = ["transformer_blocks.*.attn.to_q", "single_transformer_blocks.*.proj_mlp"]
        let run = try trained {
            $0.adapter.moe = nil
            $0.adapter.lora?.targets = targets
        }
        let file = try export(run, .kohya)
        let transformer = try base()
        _ = try AdapterSet(
            loading: SafetensorsFile(path: file), into: transformer, naming: .flux(transformer.configuration))
        let trainer = try begun(run, from: file) {
            $0.adapter.moe = RunConfiguration.MoE()
            $0.adapter.lora?.targets = targets + ["transformer_blocks.*.attn.to_k"]
        }
        #expect(output(trainer.transformer) == output(transformer), "what is fresh adds nothing")
        #expect(trainer.task.notices.count == 1)
        let notice = trainer.task.notices.first ?? ""
        #expect(
            notice.hasPrefix("adapter.start_from: 7 of 12 layers are not in \(file) and start fresh: "), "\(notice)")
        #expect(
            notice.contains("transformer_blocks.*.attn.to_k (2 layers)")
                && notice.contains("single_transformer_blocks.*.proj_out (3 layers)"), "\(notice)")
    }

    @Test func whatDiffersIsNamedByKey() throws {
        defer { fixture.remove() }
        let run = try trained { $0.adapter.moe = nil }
        let file = try export(run, .diptych)
        func faults(_ change: (inout RunConfiguration) -> Void) -> [String] {
            do {
                _ = try begun(run, from: file, change)
                return []
            } catch {
                return (error as? ConfigurationError)?.faults.map(\.description) ?? ["\(error)"]
            }
        }
        let sizes = faults {
            $0.adapter.lora?.rank = 8
            $0.adapter.lora?.alpha = 2
        }
        #expect(sizes.count == 1, "\(sizes)")
        #expect(
            sizes.first?.hasPrefix("\(file): adapter.lora.rank: expected 4 as adapter.start_from has (x_embedder, ")
                == true,
            "\(sizes)")
        #expect(sizes.first?.hasSuffix("), found 8") == true, "\(sizes)")
        let scaled = try begun(run, from: file) { $0.adapter.lora?.alpha = 2 }
        #expect(scaled.task.notices.count == 1)
        #expect(
            scaled.task.notices.first?.hasPrefix(
                "adapter.start_from: adapter.lora.alpha is 2 here, 32 in \(file) (x_embedder, ") == true,
            "\(scaled.task.notices)")
        #expect(try output(scaled.transformer) == output(begun(run, from: file).transformer), "16 is a power of two")
        let targets = faults { $0.adapter.lora?.targets = ["transformer_blocks.*.attn.to_q"] }
        #expect(
            targets.count == 1
                && targets[0].hasPrefix(
                    "\(file): adapter.lora.targets: expected a pattern for each LoRA as adapter.start_from has ("),
            "\(targets)")
        let kinds = faults {
            $0.adapter.moe = RunConfiguration.MoE()
            $0.adapter.moe?.targets = ["single_transformer_blocks.*.proj_out"]
        }
        #expect(
            kinds == [
                "\(file): adapter.moe.targets: expected a plain LoRA as adapter.start_from has (single_transformer_blocks.*.proj_out (3 layers)), found a mixture of experts"
            ], "\(kinds)")
        #expect(faults { $0.adapter.startFrom = path("none.safetensors") }[0].contains("none.safetensors: expected"))
    }

    @Test func aRunThatGoesOnDoesNotReadItAgain() throws {
        defer { fixture.remove() }
        let run = try trained { _ in }
        var next = run
        next.output.folder = path("second")
        next.adapter.startFrom = try export(run, .diptych)
        next.training.steps = 2
        let whole = try fixture.train(next)
        next.output.folder = path("third")
        next.training.steps = 1
        try fixture.train(next)
        try FileManager.default.removeItem(atPath: next.adapter.startFrom ?? "")
        next.training.steps = 2
        let resumed = try fixture.train(next, resuming: RunFolder.checkpoint(at: next.output.folder))
        #expect(resumed.map(\.loss) == whole.map(\.loss))
        #expect(throws: ConfigurationError.self) { try next.validateFiles() }
        try next.validateFiles(isResuming: true)
    }
}
