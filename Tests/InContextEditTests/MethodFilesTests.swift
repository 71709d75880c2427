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

/// Every method on the tiny transformer: through each format that holds it, refused by the others, merged into the weights.
@Suite struct MethodFilesTests {
    struct Case: CustomTestStringConvertible {
        let method: any AdapterMethod
        let formats: [AdapterFormat]
        let summary: String
        var testDescription: String { type(of: method).noun }
    }

    static let cases = [
        Case(
            method: LoRAMethod(rank: 3, alpha: 4.5), formats: AdapterFormat.allCases,
            summary: "LoRAs of rank 3, alpha 4.5"),
        Case(
            method: DoRAMethod(rank: 3, alpha: 4.5), formats: [.peft, .kohya, .comfyui, .lycoris, .diptych],
            summary: "DoRAs of rank 3, alpha 4.5"),
        Case(
            method: LoKrMethod(rank: 3, alpha: 4.5, factor: 8), formats: [.lycoris, .diptych],
            summary: "LoKrs of rank 3, alpha 4.5"),
        Case(
            method: LoKrMethod(rank: 1, factor: 8, decomposesBoth: true), formats: [.lycoris, .diptych],
            summary: "LoKrs of rank 1, alpha 32.0"),
        Case(
            method: LoKrMethod(factor: 4, fullMatrix: true), formats: [.lycoris, .diptych],
            summary: "LoKrs of full matrices"),
    ]

    private let transformer: FluxTransformer
    private let input: FluxInput
    private let folder: URL
    private var naming: AdapterNaming { .flux(transformer.configuration) }

    init() throws {
        transformer = try FluxTransformer.load(folder: Fixtures.path("tiny-random-fill/transformer"))
        folder = try Fixtures.scratchFolder()
        let configuration = transformer.configuration
        var random = Random(seed: 3)
        input = FluxInput(
            latents: Variable(random.randn([1, 6, configuration.inChannels])),
            text: Variable(random.randn([1, 5, configuration.jointAttentionDim])),
            pooled: Variable(random.randn([1, configuration.pooledProjectionDim])),
            timestep: Tensor([Float(0.4)], [1]), guidance: Tensor([Float(30)], [1]),
            imageIDs: Tensor((0..<6).flatMap { [Float(0), 1, Float($0)] }, [6, 3]), textIDs: Tensor(zeros: [5, 3]))
    }

    private func remove() { try? FileManager.default.removeItem(at: folder) }
    private func path(_ name: String) -> String { folder.appending(path: name).path }
    private func output(_ model: FluxTransformer? = nil) -> Tensor {
        withoutGradients { (model ?? transformer)(input).value }
    }
    private func largest(_ a: Tensor, _ b: Tensor) -> Float {
        zip(a.floats, b.floats).map { abs($0 - $1) }.max() ?? .infinity
    }

    /// Adapters of every layer whose weights have moved from where they begin.
    private func injected(_ method: any AdapterMethod) throws -> AdapterSet {
        let set = try AdapterSet(
            injecting: AdapterConfiguration(method, targets: ["*"]), into: transformer, seed: 5)
        var random = Random(seed: 6)
        for (_, parameter) in set.parameters {
            parameter.replace(parameter.value + random.randn(parameter.shape) * 0.05)
        }
        return set
    }

    @Test(arguments: cases) func everyFormatThatHoldsIt(_ given: Case) throws {
        defer { remove() }
        let base = output()
        let set = try injected(given.method)
        let trained = output()
        #expect(largest(trained, base) > 0.05)
        for format in AdapterFormat.allCases {
            let file = path("\(format).safetensors")
            guard given.formats.contains(format) else {
                let error = #expect(throws: AdapterError.self) {
                    try set.write(to: file, format: format, naming: naming)
                }
                let line = "\(try #require(error))"
                #expect(line.hasPrefix("adapter format '\(format.rawValue)': "))
                for other in given.formats { #expect(line.contains("'\(other.rawValue)'"), "\(line)") }
                continue
            }
            try set.write(to: file, format: format, naming: naming)
            set.strength = 0
            let read = try AdapterSet(
                loading: SafetensorsFile(path: file), into: transformer, naming: naming, besideOthers: true)
            let error = largest(output(), trained)
            print("\(type(of: given.method).noun) as \(format): max error \(error)")
            #expect(error < 2e-5, "\(format): \(error)")
            #expect(read.members.count == set.members.count && read.notices.isEmpty)
            #expect(read.members.allSatisfy { type(of: $0.adapter) == type(of: set.members[0].adapter) })
            read.remove()
            set.strength = 1
            let summary = try AdapterSummary(SafetensorsFile(path: file))
            #expect(AdapterSummary.isAdapter(try SafetensorsFile(path: file).names))
            if format == .diptych { #expect(summary.lines[0].contains(given.summary), "\(summary.lines)") }
            // Without a base the file tells the model's width.
            let found = try AdapterNaming.flux(adaptedBy: SafetensorsFile(path: file))
            #expect(found.layers.first { $0.name == "transformer_blocks.0.attn.to_q" }?.inputs == 96)
        }
        set.remove()
    }

    @Test(arguments: cases) func mergingIsExact(_ given: Case) throws {
        defer { remove() }
        let set = try injected(given.method)
        for (strength, name) in [(Float(1), "whole"), (0.6, "part")] {
            set.strength = strength
            let expected = output()
            try set.write(to: path("adapter.safetensors"), format: .diptych)
            let parameters = Dictionary(
                uniqueKeysWithValues: transformer.namedParameters().map { ($0.name, $0.parameter) })
            // A base in float32, in the layout of diffusers and in that of Black Forest Labs.
            for isBlackForest in [false, true] {
                let panelLayouts = transformer.configuration.blackForestKeyMappings
                let tensors =
                    try isBlackForest
                    ? panelLayouts.map { panelLayout in
                        let parts = try panelLayout.parts.map { part in
                            try #require(parameters[part.name]).value.converted(to: .float32)
                        }
                        let whole = parts.count == 1 ? parts[0] : Tensor.concatenated(parts, axis: 0)
                        guard panelLayout.swapsHalves else { return (panelLayout.source, whole) }
                        return (
                            panelLayout.source,
                            StoredTensor.plain(whole).withHalvesSwapped().expanded(to: .float32)
                        )
                    } : parameters.map { ($0.key, $0.value.value.converted(to: .float32)) }.sorted { $0.0 < $1.0 }
                let config = try ConfigurationFile(path: Fixtures.path("tiny-random-fill/transformer/config.json"))
                try SafetensorsFile.write(
                    tensors, metadata: [ModelFile.configurationKey: try config.text()], to: path("base.safetensors"))
                let merger = try AdapterMerger(path("base.safetensors")) { naming in
                    [(try AdapterFile(SafetensorsFile(path: path("adapter.safetensors")), naming: naming), strength)]
                }
                _ = try merger.write(to: path("merged.safetensors")) { _ in }
                let merged = try ModelFile.open(path("merged.safetensors"), .transformer).loadTransformer()
                let error = largest(output(merged), expected)
                print("\(type(of: given.method).noun) merged at \(strength), \(name), \(isBlackForest): \(error)")
                #expect(error < 5e-5, "\(name) \(isBlackForest): \(error)")
            }
        }
        set.remove()
    }
}
