import Adapters
import Autograd
import InContextEdit
import Models
import TensorCore
import TensorIO
import TestSupport
import Testing

/// LoRAs as other trainers write them give what diffusers' transformer gives with their weights added by hand
/// (`Tests/Reference/make_adapter_fixtures.py`).
@Suite struct ForeignAdapterTests {
    private let fixture: SafetensorsFile
    private let transformer: FluxTransformer
    private let input: FluxInput

    init() throws {
        let fixture = try SafetensorsFile(path: Fixtures.path("adapters.safetensors"))
        self.fixture = fixture
        transformer = try FluxTransformer.load(folder: Fixtures.path("tiny-random-fill/transformer"))
        func given(_ name: String) throws -> Tensor { try fixture.tensor("input/\(name)") }
        input = FluxInput(
            latents: Variable(try given("hidden_states")), text: Variable(try given("encoder_hidden_states")),
            pooled: Variable(try given("pooled_projections")), timestep: try given("timestep"),
            guidance: try given("guidance"), imageIDs: try given("img_ids"), textIDs: Tensor(zeros: [5, 3]))
    }

    private func output() -> Tensor { withoutGradients { transformer(input).value } }

    private func largest(_ a: Tensor, _ b: Tensor) -> Float {
        zip(a.floats, b.floats).map { abs($0 - $1) }.max() ?? .infinity
    }

    @Test(arguments: [
        ("kohya", "kohya sd-scripts"), ("comfyui", "ComfyUI"), ("diffusion-pipe", "ComfyUI"),
        ("ai-toolkit", "diffusers"), ("ai-toolkit-alpha", "diffusers"), ("onetrainer", "OneTrainer"), ("peft", "PEFT"),
        ("simpletuner", "SimpleTuner (LyCORIS)"),
    ])
    func outputEqualsThatOfAddedWeights(file: String, layout: String) throws {
        let archive = PrefixedArchive(fixture, prefix: "\(file)/")
        let base = try fixture.tensor("output/base")
        #expect(largest(output(), base) < 1e-4)
        let expected = try fixture.tensor("output/\(file)")
        let naming = AdapterNaming.flux(transformer.configuration)
        let set = try AdapterSet(loading: archive, into: transformer, naming: naming)
        let (error, change) = (largest(output(), expected), largest(expected, base))
        set.remove()
        print("\(file): \(set.members.count) layers, changes the output by \(change), max error \(error)")
        #expect(error < 1e-4 && change > 0.1, "\(file): \(error) of \(change)")
        #expect(set.members.count == 17)
        #expect(try AdapterSummary(archive).format == layout)

        // And turned into each other program's file.
        let read = try AdapterFile(archive, naming: naming)
        for format in AdapterFormat.allCases {
            let contents = try read.exported(as: format)
            let converted = try AdapterSet(
                loading: MemoryArchive(path: "converted", contents.tensors), metadata: contents.metadata,
                into: transformer, naming: naming)
            #expect(largest(output(), expected) < 1e-4, "\(file) as \(format): \(largest(output(), expected))")
            converted.remove()
        }
    }
}
