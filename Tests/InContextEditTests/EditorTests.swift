import Adapters
import Autograd
import InContextEdit
import Models
import TensorCore
import TensorIO
import TestSupport
import Testing

@Suite struct EditorTests {
    private let reference: SafetensorsFile
    private let pipeline: EditPipeline
    private let source: Image

    init() throws {
        reference = try SafetensorsFile(path: Fixtures.path("edit.safetensors"))
        pipeline = try EditPipeline(path: Fixtures.path("tiny-random-fill"))
        source = try Image(contentsOf: Fixtures.path("source.png"))
    }

    private var options: Editor.Options {
        var options = Editor.Options()
        options.seed = 42
        // The fixtures' pipeline gives modes in the place of draws.
        options.noise = .noiseOnly
        options.steps = 4
        options.guidance = 30
        options.maximumSequenceLength = 96
        options.panelWidth = 64
        return options
    }

    private func maximumError(_ a: Tensor, _ b: Tensor) -> Float {
        zip(a.floats, b.floats).map { abs($0 - $1) }.max() ?? .infinity
    }

    @Test func theNoiseOfASeedIsPyTorchs() throws {
        var random = Random(seed: 42)
        let error = maximumError(random.randn([1, 16, 8, 16]), try reference.tensor("noise"))
        #expect(error <= 1e-6, "max error \(error)")
    }

    @Test func aWholeEditEqualsDiffusers() throws {
        var errors: [Float] = []
        var stages: [String] = []
        let result = try Editor(pipeline).edit(
            source, PromptFields(instruction: "make the cat blue"), options: options
        ) { progress in
            switch progress {
            case .sampled(steps: 0, let latents): #expect(latents.shape == [1, 32, 64])
            case .sampled(let steps, let latents):
                errors.append(maximumError(latents, try reference.tensor("latents.\(steps - 1)")))
            default: stages.append("\(progress) after \(errors.count)")
            }
        }
        #expect(stages == ["encodingText after 0", "encodingImage after 0", "decoding after 4"])
        print("edit: max error of the latents after each step \(errors)")
        #expect(errors.count == 4)
        #expect(errors.allSatisfy { $0 <= 2e-4 }, "latents: \(errors)")
        // The reference picture is [H, W, 3] in 0…1.
        let picture = result.canvas.affine(scale: 0.5, shift: 0.5).reshaped(to: [3, 64, 128]).permuted([1, 2, 0])
        let clamped = Tensor.applying(.minimum, Tensor.applying(.maximum, picture, Tensor(0)), Tensor(1))
        let error = maximumError(clamped, try reference.tensor("image"))
        print("edit: max error of the picture \(error)")
        #expect(error <= 2e-4, "picture: \(error)")
        #expect(result.image.width == 64 && result.image.height == 64)
        #expect(result.diptych.edited == result.image && result.geometry.name == "64x64")
    }

    @Test func aStackedEditEqualsDiffusers() throws {
        let reference = try SafetensorsFile(path: Fixtures.path("edit-stacked.safetensors"))
        let wide = source.crop(x: 0, y: 8, width: 64, height: 48)
        var stacked = options
        stacked.panelLayout = .auto
        let fields = PromptFields(instruction: "make the cat blue")
        #expect(
            try PromptForm.inContext.prompt(fields, panelLayout: .stacked) == #require(reference.metadata["prompt"]))

        // What the transformer is told: the source without what lies under the mask, the mask, the places.
        let diptych = Diptych(editing: wide, panelLayout: .stacked)
        func told(of diptych: Diptych) throws -> Tensor {
            let source = try pipeline.framework.sourceLatents(diptych, pipeline.frozenEncoders, drawing: nil)
            let nothing = Tensor(zeros: [1, 1])
            return try #require(
                pipeline.conditioning(
                    source: source, text: nothing, pooled: nothing, guidance: 1, geometry: diptych.geometry
                ).channels)
        }
        let condition = try told(of: diptych)
        let difference = maximumError(condition, try reference.tensor("condition"))
        #expect(condition.shape == [1, 24, 320] && difference <= 2e-4, "condition: \(difference)")
        let mask = try reference.tensor("condition").sliced(axis: 2, 64..<320).contiguous()
        #expect(diptych.geometry.packedMask.floats == mask.floats)
        #expect(diptych.geometry.imageIDs.floats == (try reference.tensor("img_ids").floats))
        let other = Diptych(source: wide, edited: Image(width: 64, height: 48), panelLayout: .stacked)
        #expect(try told(of: other).floats == condition.floats)

        var random = Random(seed: 42)
        let noise = random.randn(diptych.geometry.latentShape(channels: 16))
        #expect(maximumError(noise, try reference.tensor("noise")) <= 1e-6)
        var errors: [Float] = []
        let result = try Editor(pipeline).edit(wide, fields, options: stacked) { progress in
            guard case .sampled(let steps, let latents) = progress, steps > 0 else { return }
            errors.append(maximumError(latents, try reference.tensor("latents.\(steps - 1)")))
        }
        #expect(errors.count == 4)
        #expect(errors.allSatisfy { $0 <= 2e-4 }, "latents: \(errors)")
        #expect(result.canvas.shape == [1, 3, 96, 64] && result.geometry.name == "64x48-stacked")
        let picture = result.canvas.affine(scale: 0.5, shift: 0.5).squeezed(0).permuted([1, 2, 0])
        let clamped = Tensor.applying(.minimum, Tensor.applying(.maximum, picture, Tensor(0)), Tensor(1))
        let error = maximumError(clamped, try reference.tensor("image"))
        print(
            "stacked edit: max error of the condition \(difference), of the latents \(errors), of the picture \(error)")
        #expect(error <= 2e-4, "picture: \(error)")
        #expect(result.image.width == 64 && result.image.height == 48 && result.diptych.edited == result.image)
        // Told to, a wide picture lies beside its edit.
        stacked.panelLayout = .beside
        stacked.steps = 1
        #expect(try Editor(pipeline).edit(wide, fields, options: stacked).canvas.shape == [1, 3, 48, 128])
    }

    @Test func bfloat16StaysNear() throws {
        var half = options
        half.precision = .bfloat16
        let result = try Editor(pipeline).edit(source, PromptFields(instruction: "make the cat blue"), options: half)
        let picture = result.canvas.affine(scale: 0.5, shift: 0.5).reshaped(to: [3, 64, 128]).permuted([1, 2, 0])
        let expected = try reference.tensor("image")
        let difference = (picture.contiguous() - expected).applying(.square).mean().scalar.squareRoot()
        print("edit in bfloat16: root mean square error of the picture \(difference)")
        #expect(difference > 0 && difference < 0.05, "\(difference)")
    }

    @Test func aRouterThatSeesTheTextIsTold() throws {
        var configuration = AdapterConfiguration.iceditMoE
        configuration[LoRAMoEMethod.self]?.routing.input = .tokenAndPooledText
        let transformer = pipeline.transformer
        let adapters = try AdapterSet(
            injecting: configuration, into: transformer, pooledWidth: transformer.configuration.pooledProjectionDim,
            seed: 1)
        defer { adapters.remove() }
        var quick = options
        quick.steps = 1
        let fields = PromptFields(instruction: "make the cat blue")
        let adapted = try Editor(pipeline, adapters: adapters).edit(source, fields, options: quick)
        // Fresh adapters change nothing.
        adapters.remove()
        let base = try Editor(pipeline).edit(source, fields, options: quick)
        #expect(maximumError(adapted.canvas, base.canvas) == 0)
    }

    @Test func severalAdaptersWorkTogether() throws {
        func injected(_ configuration: AdapterConfiguration, _ seed: UInt64) throws -> AdapterSet {
            let set = try AdapterSet(
                injecting: configuration, into: pipeline.transformer, seed: seed, besideOthers: true)
            var random = Random(seed: seed)
            for (name, parameter) in set.parameters where name.contains("lora_B") {
                parameter.replace(random.randn(parameter.value.shape) * 0.05)
            }
            return set
        }
        var quick = options
        quick.steps = 1
        let fields = PromptFields(instruction: "make the cat blue")
        func canvas(_ sets: [AdapterSet]) throws -> Tensor {
            try Editor(pipeline, adapters: sets).edit(source, fields, options: quick).canvas
        }
        let first = try injected(.iceditLoRA, 1)
        let alone = try canvas([first])
        let second = try injected(.iceditMoE, 2)
        defer {
            first.remove()
            second.remove()
        }
        let both = try canvas([first, second])
        second.strength = 0
        #expect(maximumError(try canvas([first, second]), alone) == 0)
        #expect(maximumError(both, alone) > 1e-3)
        first.remove()
        second.strength = 1
        let other = try canvas([second])
        #expect(maximumError(both, other) > 1e-3 && maximumError(other, alone) > 1e-3)
    }

    @Test func picturesThatAreTooLongAreRefused() {
        let tall = Image(width: 2, height: 3000, color: [9, 9, 9])
        let error = #expect(throws: DiptychSizeError.self) { try Editor.panel(tall, width: 512) }
        #expect(error?.description.contains("found a picture of 2 x 3000") == true)
    }

    @Test func imagesOfOtherSizesAreResizedToThePanel() throws {
        let panel = try Editor.panel(Image(width: 300, height: 200, color: [9, 9, 9]), width: 64)
        #expect(panel.width == 64 && panel.height == 32)
    }
}
