import Adapters
import Autograd
import Foundation
import InContextEdit
import Models
import NeuralNet
import TensorCore
import TensorIO
import TestSupport
import Testing

/// FLUX.1 Kontext's framework against diffusers' `FluxKontextPipeline` on a tiny random pipeline.
@Suite struct KontextFrameworkTests {
    private let reference: SafetensorsFile
    private let source: Image

    init() throws {
        reference = try SafetensorsFile(path: Fixtures.path("kontext.safetensors"))
        source = try Image(contentsOf: Fixtures.path("source.png")).crop(x: 0, y: 8, width: 64, height: 48)
    }

    private func withPipeline(_ body: (EditPipeline) throws -> Void) throws {
        let folder = try Fixtures.scratchFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        try body(EditPipeline(path: KontextBase.write(into: folder)))
    }

    private func maximumError(_ a: Tensor, _ b: Tensor) -> Float {
        a.shape == b.shape ? zip(a.floats, b.floats).map { abs($0 - $1) }.max() ?? .infinity : .infinity
    }

    @Test func theTransformerEqualsDiffusers() throws {
        try withPipeline { pipeline in
            #expect(pipeline.framework.name == .kontext)
            let geometry = DiptychGeometry(panelWidth: 64, panelHeight: 48, panelLayout: .reference)
            #expect(geometry.tokenCount == 12 && geometry.pairTokenCount == 24 && geometry.name == "64x48-reference")
            let conditioning = pipeline.conditioning(
                source: try reference.tensor("source"), text: try reference.tensor("text"),
                pooled: try reference.tensor("pooled"), guidance: 2.5, geometry: geometry)
            let ids = Tensor.concatenated([conditioning.imageIDs, try #require(conditioning.tokenIDs)], axis: 0)
            #expect(ids.floats == (try reference.tensor("img_ids")).floats)

            let noisy = try reference.tensor("noise")
            let time = Tensor([0.7] as [Float], [1])
            let velocity = pipeline.transformer.velocity(noisy, time: time, conditioning, precision: .float32)
            let error = maximumError(velocity.value, try reference.tensor("velocity"))
            print("kontext: max error of the velocity \(error)")
            #expect(error <= 1e-4)

            // The gradient of a training loss, of which the source's tokens have no share.
            let latents = Variable(noisy, requiresGradient: true)
            let joined = Variable.concatenated([latents, Variable(try #require(conditioning.tokens))], axis: 1)
            let output = pipeline.transformer(
                FluxInput(
                    latents: joined, text: Variable(conditioning.text), pooled: Variable(conditioning.pooled),
                    timestep: time, guidance: Tensor([2.5] as [Float], [1]), imageIDs: ids,
                    textIDs: Tensor(zeros: [conditioning.text.shape[1], 3]), resultCount: 12))
            output.meanSquaredError(try reference.tensor("target")).backward()
            let gradient = try #require(latents.gradient)
            let expected = try reference.tensor("gradient")
            let scale = expected.floats.map(abs).max() ?? 0
            let relative = maximumError(gradient, expected) / scale
            print("kontext: max error of the gradient over its largest element \(relative)")
            #expect(relative <= 1e-4)
        }
    }

    @Test func aWholeEditEqualsDiffusers() throws {
        try withPipeline { pipeline in
            var options = Editor.Options()
            options.seed = 42
            options.steps = 4
            options.maximumSequenceLength = 96
            options.panelWidth = 64
            var errors: [Float] = []
            let result = try Editor(pipeline).edit(
                source, PromptFields(instruction: "make the cat blue"), options: options
            ) { progress in
                guard case .sampled(let steps, let latents) = progress else { return }
                errors.append(
                    maximumError(latents, try reference.tensor(steps == 0 ? "noise" : "latents.\(steps - 1)")))
            }
            print("kontext: max error of the noise, then of the latents after each step \(errors)")
            #expect(errors.count == 5)
            #expect(errors[0] <= 1e-6 && errors.allSatisfy { $0 <= 2e-4 })
            let picture = result.canvas.affine(scale: 0.5, shift: 0.5).reshaped(to: [3, 48, 64]).permuted([1, 2, 0])
            let clamped = Tensor.applying(.minimum, Tensor.applying(.maximum, picture, Tensor(0)), Tensor(1))
            let error = maximumError(clamped, try reference.tensor("image"))
            print("kontext: max error of the picture \(error)")
            #expect(error <= 2e-4)
            // To be looked at, the source lies beside its edit.
            #expect(result.image.width == 64 && result.image.height == 48)
            #expect(result.diptych.source == source && result.diptych.edited == result.image)
            #expect(result.diptych.canvas.width == 128)
        }
    }

    @Test func aBaseOfTheOtherKindIsRefused() throws {
        let fill = Fixtures.path("tiny-random-fill")
        let error = #expect(throws: FileError.self) { _ = try EditPipeline(path: fill, framework: .kontext) }
        #expect(
            error?.description == """
                \(fill): transformer/config.json: in_channels: expected 64 input channels for a Kontext model (noise, the source \
                in tokens), found 384, that of FLUX.1 [Fill] (the framework 'fill' takes such a model)
                """)
        try withPipeline { pipeline in
            let error = #expect(throws: FileError.self) {
                _ = try EditPipeline(path: pipeline.path, framework: .fill)
            }
            #expect(error?.expected == "384 input channels for a Fill model (noise, masked image, mask)")
            #expect(error?.found == "64, that of FLUX.1 [dev] (the framework 'kontext' takes such a model)")
        }
    }
}
