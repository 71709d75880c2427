import Adapters
import Foundation
import InContextEdit
import Models
import TensorCore
import TensorIO
import TestSupport
import Testing
import Training

/// Adapters of a Kontext base: trained on pairs, resumed, from a cache, and edited with.
@Suite(.serialized) struct KontextTrainingTests {
    private func withFixture(_ body: (TrainingFixture, (String, Int) -> RunConfiguration) throws -> Void) throws {
        let fixture = try TrainingFixture(pairs: 3)
        defer { fixture.remove() }
        let base = try KontextBase.write(into: fixture.folder)
        try body(fixture) { name, steps in
            fixture.configuration(name, steps: steps) {
                $0.base.path = base
                $0.base.framework = .kontext
                $0.data.promptForm = .direct
                $0.data.textDrop = 0
                $0.optimizer.name = .adamw
                $0.optimizer.learningRate = 5e-3
                $0.adapter.moe?.routerInput = .tokenAndPooledText
            }
        }
    }

    @Test func lossesFallAndAResumedRunIsTheSame() throws {
        try withFixture { fixture, settings in
            let whole = try fixture.train(settings("whole", 24))
            func mean(_ part: ArraySlice<StepMetrics>) -> Double {
                part.reduce(0) { $0 + $1.mse! } / Double(part.count)
            }
            #expect(mean(whole.suffix(8)) < mean(whole.prefix(8)))
            try fixture.train(settings("parts", 3))
            let folder = RunFolder(settings("parts", 5).output.folder)
            let parts = try fixture.train(settings("parts", 5), resuming: folder.checkpointPath(step: 3))
            #expect(whole.prefix(5).map(\.loss) == parts.map(\.loss))
        }
    }

    @Test func anEditSeesTheAdapter() throws {
        try withFixture { fixture, settings in
            let configuration = settings("run", 4)
            try fixture.train(configuration)
            let pipeline = try EditPipeline(path: configuration.base.path)
            let image = try Image(contentsOf: fixture.folder.appending(path: "pairs/source0.png").path)
            var options = Editor.Options()
            options.panelWidth = 32
            options.steps = 2
            options.maximumSequenceLength = 16
            let fields = PromptFields(instruction: "make it blue")
            let before = try Editor(pipeline).edit(image, fields, options: options)
            let adapters = try AdapterSet(
                injecting: configuration.adapterConfiguration, into: pipeline.transformer,
                pooledWidth: pipeline.transformer.configuration.pooledProjectionDim, seed: 7)
            let file = RunFolder(configuration.output.folder).checkpointPath(step: 4)
            try adapters.restoreParameters(from: RunCheckpoint(path: file).parameters)
            let after = try Editor(pipeline, adapters: adapters).edit(image, fields, options: options)
            #expect(before.image.width == 32 && !before.canvas.isIdentical(to: after.canvas))
            adapters.strength = 0
            let without = try Editor(pipeline, adapters: adapters).edit(image, fields, options: options)
            #expect(before.canvas.isIdentical(to: without.canvas))
        }
    }
}
