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

/// Merged bases give what base and adapters give.
@Suite struct AdapterMergerTests {
    private let folder: URL
    private let naming: AdapterNaming
    private let transformer: FluxTransformer
    private let input: FluxInput

    init() throws {
        folder = try Fixtures.scratchFolder()
        transformer = try FluxTransformer.load(folder: Fixtures.path("tiny-random-fill/transformer"))
        let configuration = transformer.configuration
        naming = .flux(configuration)
        var random = Random(seed: 3)
        input = FluxInput(
            latents: Variable(random.randn([1, 6, configuration.inChannels])),
            text: Variable(random.randn([1, 5, configuration.jointAttentionDim])),
            pooled: Variable(random.randn([1, configuration.pooledProjectionDim])),
            timestep: Tensor([Float(0.4)], [1]), guidance: Tensor([Float(30)], [1]),
            imageIDs: Tensor((0..<6).flatMap { [Float(0), 1, Float($0)] }, [6, 3]), textIDs: Tensor(zeros: [5, 3]))
    }

    private func path(_ name: String) -> String { folder.appending(path: name).path }

    private func output(_ model: FluxTransformer) -> Tensor { withoutGradients { model(input).value } }

    private func largest(_ a: Tensor, _ b: Tensor) -> Float {
        zip(a.floats, b.floats).map { abs($0 - $1) }.max() ?? .infinity
    }

    /// A LoRA of every layer in kohya's layout and a smaller one in diffusers'.
    private func writeAdapters() throws {
        for (name, format, rank, targets) in [
            ("a", AdapterFormat.kohya, 4, ["*"]), ("b", .peft, 3, ["*.attn.to_v", "*.proj_mlp", "proj_out"]),
        ] {
            let set = try AdapterSet(
                injecting: AdapterConfiguration(LoRAMethod(rank: rank, alpha: 6), targets: targets), into: transformer,
                seed: UInt64(rank))
            defer { set.remove() }
            var random = Random(seed: 6)
            for (name, parameter) in set.parameters where name.contains("lora_B") {
                parameter.replace(random.randn(parameter.value.shape) * 0.1)
            }
            try set.write(to: path("\(name).safetensors"), format: format, naming: naming)
        }
    }

    /// The tiny transformer in the layout of Black Forest Labs, its matrices in float16.
    private func writeBlackForest() throws -> String {
        let parameters = Dictionary(uniqueKeysWithValues: transformer.namedParameters().map { ($0.name, $0.parameter) })
        let tensors = try transformer.configuration.blackForestKeyMappings.map { mapping in
            let parts = try mapping.parts.map { part in
                try #require(parameters[part.name]).value.converted(to: .float32)
            }
            var whole = parts.count == 1 ? parts[0] : Tensor.concatenated(parts, axis: 0)
            if mapping.swapsHalves { whole = StoredTensor.plain(whole).withHalvesSwapped().expanded(to: .float32) }
            return (name: mapping.source, tensor: whole.rank == 2 ? whole.converted(to: .float16) : whole)
        }
        let file = try ConfigurationFile(path: Fixtures.path("tiny-random-fill/transformer/config.json"))
        try SafetensorsFile.write(
            tensors, metadata: [ModelFile.configurationKey: try file.text(), "_quantization_metadata": "{}"],
            to: path("base.safetensors"))
        return path("base.safetensors")
    }

    /// The tiny transformer as GGUF in eight bits.
    private func writeQuantized() throws -> String {
        try ModelQuantizer(Fixtures.path("tiny-random-fill"), type: "q8_0").write(to: path("base.gguf")) { _ in }
        return path("base.gguf")
    }

    private func merger(_ base: String) throws -> AdapterMerger {
        try AdapterMerger(base) { naming in
            try [("a", Float(0.75)), ("b", -0.5)].map { name, strength in
                (try AdapterFile(SafetensorsFile(path: path("\(name).safetensors")), naming: naming), strength)
            }
        }
    }

    private func withAdapters() throws -> Tensor {
        let sets = try [("a", Float(0.75)), ("b", -0.5)].map { name, strength in
            let set = try AdapterSet(
                loading: SafetensorsFile(path: path("\(name).safetensors")), into: transformer, naming: naming,
                besideOthers: true)
            set.strength = strength
            return set
        }
        defer { for set in sets { set.remove() } }
        return output(transformer)
    }

    @Test func everyLayoutOfABase() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        try writeAdapters()
        let expected = try withAdapters()
        let base = output(transformer)
        for (name, place) in [
            ("diffusers", Fixtures.path("tiny-random-fill")), ("BFL", try writeBlackForest()),
            ("GGUF", try writeQuantized()),
        ] {
            var counts: [Int] = []
            let report = try merger(place).write(to: path("\(name).safetensors"), metadata: ["by": "test"]) {
                counts.append($0.done)
                #expect($0.done <= $0.total && $0.unit == "tensors")
            }
            let merged = try SafetensorsFile(path: path("\(name).safetensors"))
            #expect(counts == Array(1...merged.names.count) && merged.metadata["by"] == "test")
            // Of weights that are quantised no longer.
            #expect(merged.metadata["_quantization_metadata"] == nil)
            let file = try ModelFile.open(merged.path, .transformer)
            #expect(file.keyNaming == (name == "diffusers" ? .diffusers : .blackForest))
            let model = try file.loadTransformer()
            #expect(model.configuration == transformer.configuration)
            let error = largest(output(model), expected)
            print(
                "\(name): max error \(error) of \(largest(expected, base)), change \(report.relativeChange), rounding "
                    + "\(report.relativeRounding)")
            #expect(error < largest(expected, base) * 0.05, "\(error)")
            #expect(report.changed > 20 && report.relativeChange > 0.01)
        }
    }

    @Test func mixturesAreRefused() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let set = try AdapterSet(injecting: .iceditMoE, into: transformer, seed: 1)
        try set.write(to: path("moe.safetensors"), format: .icedit)
        set.remove()
        let error = #expect(throws: FileError.self) {
            try AdapterMerger(Fixtures.path("tiny-random-fill")) { naming in
                let file = try AdapterFile(SafetensorsFile(path: path("moe.safetensors")), naming: naming)
                return [(file: file, strength: Float(1))]
            }
        }
        #expect(
            "\(error!)".contains(
                "expected a static LoRA: which experts work depends on the token (see diptych flatten-moe)")
        )
    }
}
