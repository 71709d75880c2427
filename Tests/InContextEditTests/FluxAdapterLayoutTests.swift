import Adapters
import Autograd
import Foundation
import InContextEdit
import Models
import TensorCore
import TensorIO
import TestSupport
import Testing

/// Adapters of a FLUX transformer in the files of every program that users have.
@Suite struct FluxAdapterLayoutTests {
    private let transformer: FluxTransformer
    private let input: FluxInput
    private let base: Tensor
    private var naming: AdapterNaming { .flux(transformer.configuration) }

    init() throws {
        transformer = try FluxTransformer.load(folder: Fixtures.path("tiny-random-fill/transformer"))
        let configuration = transformer.configuration
        var random = Random(seed: 3)
        var ids = [Float]()
        for row in 0..<3 { for column in 0..<4 { ids += [0, Float(row), Float(column)] } }
        input = FluxInput(
            latents: Variable(random.randn([2, 12, configuration.inChannels])),
            text: Variable(random.randn([2, 5, configuration.jointAttentionDim])),
            pooled: Variable(random.randn([2, configuration.pooledProjectionDim])),
            timestep: Tensor([Float(0.3), 0.8], [2]), guidance: Tensor([Float(1), 30], [2]),
            imageIDs: Tensor(ids, [12, 3]),
            textIDs: Tensor(zeros: [5, 3]))
        base = withoutGradients { [transformer, input] in transformer(input).value }
    }

    private func output() -> Tensor { withoutGradients { transformer(input).value } }

    private func largest(_ a: Tensor, _ b: Tensor) -> Float {
        zip(a.floats, b.floats).map { abs($0 - $1) }.max() ?? .infinity
    }

    /// Adapters with up projections that are not zero in every layer that the patterns match.
    private func injected(_ configuration: AdapterConfiguration) throws -> AdapterSet {
        let set = try AdapterSet(injecting: configuration, into: transformer, seed: 5)
        var random = Random(seed: 6)
        for (name, parameter) in set.parameters where !name.contains("lora_A") {
            parameter.replace(random.randn(parameter.value.shape) * 0.1)
        }
        return set
    }

    /// The output with an archive's adapters, which are taken out again.
    private func output(with archive: any TensorArchive, metadata: [String: String] = [:]) throws -> Tensor {
        let set = try AdapterSet(loading: archive, metadata: metadata, into: transformer, naming: naming)
        defer { set.remove() }
        return output()
    }

    // MARK: What we write

    /// Every linear layer of the model, the scale no power of two, the ranks of a fused layer's parts as one.
    @Test(arguments: [AdapterFormat.peft, .kohya, .comfyui, .icedit, .diptych])
    func everyLayoutGivesTheSameOutput(format: AdapterFormat) throws {
        let set = try injected(AdapterConfiguration(LoRAMethod(rank: 3, alpha: 4.5), targets: ["*"]))
        let trained = output()
        let exported = try set.exported(as: format, naming: naming)
        set.remove()
        #expect(largest(output(), base) == 0 && largest(trained, base) > 0.1)
        let archive = MemoryArchive(path: "file", exported.tensors)
        let error = largest(try output(with: archive, metadata: exported.metadata), trained)
        print("\(format.rawValue): \(exported.tensors.count) tensors, max error \(error)")
        // Scales that are multiplied into B round its numbers; everything else comes back bit for bit.
        #expect(format == .peft || format == .diptych || format == .comfyui ? error == 0 : error < 2e-5, "\(error)")

        // And on from there into every other layout.
        let file = try AdapterFile(archive, metadata: exported.metadata, naming: naming)
        #expect(file.mixtures.isEmpty && file.layerNames.count == set.members.count)
        for other in AdapterFormat.allCases {
            let converted = try file.exported(as: other)
            let read = try output(
                with: MemoryArchive(path: "other", converted.tensors), metadata: converted.metadata)
            #expect(largest(read, trained) < 2e-5, "\(format) to \(other): \(largest(read, trained))")
        }
    }

    @Test(arguments: [AdapterFormat.icedit, .diptych])
    func mixturesComeBack(format: AdapterFormat) throws {
        var configuration = AdapterConfiguration.iceditMoE
        configuration[LoRAMoEMethod.self] = LoRAMoEMethod(rank: 4, alpha: 6)
        configuration[LoRAMethod.self] = LoRAMethod(rank: 2, alpha: 3)
        let set = try injected(configuration)
        let trained = output()
        let exported = try set.exported(as: format, naming: naming)
        set.remove()
        let archive = MemoryArchive(path: "file", exported.tensors)
        let error = largest(try output(with: archive, metadata: exported.metadata), trained)
        print("\(format.rawValue) mixture: max error \(error)")
        #expect(format == .diptych ? error == 0 : error < 2e-5)
        let file = try AdapterFile(archive, metadata: exported.metadata, naming: naming)
        #expect(file.mixtures.count == 5)
        let refusal = #expect(throws: AdapterError.self) { try file.exported(as: .kohya) }
        #expect("\(refusal!)".hasSuffix("diptych flatten-moe makes a plain LoRA of it"))
    }

    @Test func kohyasKeysAreThose() throws {
        let set = try injected(
            AdapterConfiguration(
                LoRAMethod(rank: 2, alpha: 2), targets: ["*.attn.to_q", "*.attn.to_v", "norm_out.linear"]))
        defer { set.remove() }
        let exported = try set.exported(as: .kohya, naming: naming)
        let tensors = Dictionary(uniqueKeysWithValues: exported.tensors.map { ($0.name, $0.tensor) })
        // Queries and values of three: rank 4, B on the diagonal, the rows of the keys zero.
        let up = try #require(tensors["lora_unet_double_blocks_1_img_attn_qkv.lora_up.weight"])
        #expect(tensors["lora_unet_double_blocks_1_img_attn_qkv.lora_down.weight"]?.shape == [4, 96])
        #expect(up.shape == [288, 4] && up.sliced(axis: 0, 96..<192).floats.allSatisfy { $0 == 0 })
        #expect(up.sliced(axis: 0, 0..<96).sliced(axis: 1, 2..<4).floats.allSatisfy { $0 == 0 })
        #expect(tensors["lora_unet_double_blocks_1_img_attn_qkv.alpha"]?.scalar == 4)
        #expect(tensors["lora_unet_single_blocks_2_linear1.lora_up.weight"]?.shape == [672, 4])
        #expect(tensors["lora_unet_final_layer_adaLN_modulation_1.lora_up.weight"]?.shape == [192, 2])
        #expect(
            exported.metadata["ss_network_module"] == "networks.lora_flux" && exported.metadata["ss_network_dim"] == "4"
        )
    }

    // MARK: What others write

    /// A LoRA of rank 4 for all of one block's projections, trained as one, in the ways in which trainers name it.
    private static let fusedNames: [(name: String, a: String, b: String)] = [
        (
            "kohya", "lora_unet_double_blocks_1_img_attn_qkv.lora_down.weight",
            "lora_unet_double_blocks_1_img_attn_qkv.lora_up.weight"
        ),
        (
            "ComfyUI", "diffusion_model.double_blocks.1.img_attn.qkv.lora_A.weight",
            "diffusion_model.double_blocks.1.img_attn.qkv.lora_B.weight"
        ),
        (
            "ComfyUI, old", "diffusion_model.double_blocks.1.img_attn.qkv.lora_down.weight",
            "diffusion_model.double_blocks.1.img_attn.qkv.lora_up.weight"
        ),
        (
            "BFL, PEFT", "base_model.model.double_blocks.1.img_attn.qkv.lora_A.default.weight",
            "base_model.model.double_blocks.1.img_attn.qkv.lora_B.default.weight"
        ),
        ("BFL", "double_blocks.1.img_attn.qkv.lora_A.weight", "double_blocks.1.img_attn.qkv.lora_B.weight"),
    ]

    @Test func fusedFilesOfOtherTrainers() throws {
        let (a, b) = (Tensor.sample([4, 96], seed: 1), Tensor.sample([288, 4], seed: 2))
        var split: [(name: String, tensor: Tensor)] = []
        for (index, part) in ["to_q", "to_k", "to_v"].enumerated() {
            let name = "transformer.transformer_blocks.1.attn.\(part)"
            split.append(("\(name).lora_A.weight", a))
            split.append(("\(name).lora_B.weight", b.sliced(axis: 0, index * 96..<index * 96 + 96).contiguous() * 0.5))
        }
        let expected = try output(with: MemoryArchive(path: "split", split))
        #expect(largest(expected, base) > 0.1)
        for (trainer, nameA, nameB) in Self.fusedNames {
            let stem = nameA.prefix(while: { _ in true }).components(separatedBy: ".lora_")[0]
            let tensors = [
                (name: nameA, tensor: a), (name: nameB, tensor: b), (name: "\(stem).alpha", tensor: Tensor(2)),
            ]
            let error = largest(try output(with: MemoryArchive(path: "file", tensors)), expected)
            print("\(trainer): max error \(error)")
            #expect(error <= 2e-6, "\(trainer) \(error)")
            // Taken apart and put together again: the same A, the same B, the same rank.
            let file = try AdapterFile(MemoryArchive(path: "file", tensors), naming: naming)
            let back = Dictionary(
                uniqueKeysWithValues: try file.exported(as: .kohya).tensors.map { ($0.name, $0.tensor) })
            #expect(back["lora_unet_double_blocks_1_img_attn_qkv.lora_down.weight"]?.floats == a.floats)
            #expect(back["lora_unet_double_blocks_1_img_attn_qkv.lora_up.weight"]?.floats == b.floats)
            #expect(back["lora_unet_double_blocks_1_img_attn_qkv.alpha"]?.scalar == 2)
        }
    }

    /// One layer that no program fuses, as each names it.
    @Test(arguments: [
        "transformer.single_transformer_blocks.0.proj_out.lora_A.weight",
        "single_transformer_blocks.0.proj_out.lora_A.weight",
        "base_model.model.single_transformer_blocks.0.proj_out.lora_A.weight",
        "transformer.single_transformer_blocks.0.proj_out.lora_down.weight",
        "transformer.single_transformer_blocks.0.proj_out.lora.down.weight",
        "transformer.single_transformer_blocks.0.proj_out.lora_linear_layer.down.weight",
        "lora_transformer_single_transformer_blocks_0_proj_out.lora_down.weight",
        "lycoris_single_transformer_blocks_0_proj_out.lora_down.weight",
        "lora_unet_single_blocks_0_linear2.lora_down.weight",
        "lora_unet_single_transformer_blocks_0_proj_out.lora_down.weight",
        "diffusion_model.single_blocks.0.linear2.lora_A.weight", "transformer.single_blocks.0.linear2.lora_down.weight",
        "model.diffusion_model.single_blocks.0.linear2.lora_A.weight",
    ])
    func namesOfOneLayer(key: String) throws {
        let (a, b) = (Tensor.sample([4, 480], seed: 1), Tensor.sample([96, 4], seed: 2))
        let up = key.replacing("lora_A", with: "lora_B").replacing("down", with: "up")
        let set = try AdapterSet(
            loading: MemoryArchive(path: "file", [(key, a), (up, b)]), into: transformer, naming: naming)
        defer { set.remove() }
        let member = try #require(set.members.first)
        #expect(set.members.count == 1 && member.name == "single_transformer_blocks.0.proj_out")
        guard let lora = member.adapter as? LoRA else { throw FileError("test", expected: "a LoRA", found: "none") }
        #expect(lora.a.value.floats == a.floats && lora.b.value.floats == b.floats && lora.alpha == 4)
    }

    /// OneTrainer's newer files number the parts of a fused layer; kohya keeps some as 1 x 1 convolutions; text encoders
    /// come along.
    @Test func oddities() throws {
        let (a, b) = (Tensor.sample([4, 96], seed: 1), Tensor.sample([96, 4], seed: 2))
        var tensors: [(name: String, tensor: Tensor)] = [
            ("transformer.double_blocks.0.txt_attn.qkv.1.lora_down.weight", a.reshaped(to: [4, 96, 1, 1])),
            ("transformer.double_blocks.0.txt_attn.qkv.1.lora_up.weight", b.reshaped(to: [96, 4, 1, 1])),
            ("lora_te1_text_model_encoder_layers_0_mlp_fc1.lora_up.weight", b),
        ]
        let set = try AdapterSet(loading: MemoryArchive(path: "f", tensors), into: transformer, naming: naming)
        #expect(set.members.map(\.name) == ["transformer_blocks.0.attn.add_k_proj"])
        #expect(set.notices == ["f: 1 tensors adapt a text encoder, which stays as it is: they are not used"])
        set.remove()

        tensors[0].name = "lora_unet_double_blocks_0_img_atn_proj.lora_down.weight"
        let error = #expect(throws: FileError.self) {
            try AdapterSet(loading: MemoryArchive(path: "f", tensors), into: transformer, naming: naming)
        }
        #expect(error?.nearest == "double_blocks_0_img_attn_proj", "\(error!)")
        tensors[0].name = "lora_unet_double_blocks_0_txt_attn_qkv.lora_A.expert_0.weight"
        tensors[1].name = "lora_unet_double_blocks_0_txt_attn_qkv.lora_B.expert_0.weight"
        let mixed = #expect(throws: FileError.self) {
            try AdapterSet(loading: MemoryArchive(path: "f", tensors), into: transformer, naming: naming)
        }
        #expect(mixed?.found == "a mixture of experts")
    }

    /// The swapped halves of the final layer: a file of ComfyUI's that shifts must shift here.
    @Test func finalLayersHalvesAreExchanged() throws {
        let (a, b) = (Tensor.sample([2, 96], seed: 1), Tensor.sample([192, 2], seed: 2))
        let stem = "diffusion_model.final_layer.adaLN_modulation.1"
        let set = try AdapterSet(
            loading: MemoryArchive(path: "f", [("\(stem).lora_A.weight", a), ("\(stem).lora_B.weight", b)]),
            into: transformer, naming: naming)
        defer { set.remove() }
        let lora = try #require(set.members[0].adapter as? LoRA)
        #expect(set.members[0].name == "norm_out.linear")
        #expect(lora.b.value.floats == Array(b.floats[192...] + b.floats[..<192]))
    }

    /// Black Forest Labs' last layer computes `linear((1 + scale) * norm(x) + shift)` with `shift, scale` the first and the
    /// second half of its modulation (`LastLayer` of `flux/modules/layers.py`): what a file of ComfyUI's or kohya's adds to
    /// the first half moves every token alike, and what it adds to the second moves none alike.
    @Test(arguments: [
        "diffusion_model.final_layer.adaLN_modulation.1.lora_A", "lora_unet_final_layer_adaLN_modulation_1.lora_down",
    ])
    func theFirstHalfShifts(down: String) throws {
        let up = down.replacing("lora_A", with: "lora_B").replacing("down", with: "up")
        for isShift in [true, false] {
            let half = Tensor.sample([96, 2], seed: 2)
            let b = Tensor.concatenated(
                isShift ? [half, Tensor(zeros: [96, 2])] : [Tensor(zeros: [96, 2]), half], axis: 0)
            let archive = MemoryArchive(
                path: "f", [("\(down).weight", Tensor.sample([2, 96], seed: 1)), ("\(up).weight", b)])
            // [2, 12, 64]: how far each token of a batch moves from the first of them.
            let moved = try output(with: archive) - base
            let spread = largest(moved, moved.sliced(axis: 1, 0..<1).expanded(to: moved.shape).contiguous())
            let size = largest(moved, Tensor(zeros: moved.shape))
            #expect(size > 0.05 && (isShift ? spread < 1e-4 : spread > 0.05), "\(isShift): \(spread) of \(size)")
            // And it is written as it was read; in diffusers' layout, which has the scale first, exchanged.
            let file = try AdapterFile(archive, naming: naming)
            for format in [AdapterFormat.comfyui, .peft] {
                let back = try file.exported(as: format).tensors.first { $0.name.contains("lora_B") }
                let halves = [b.sliced(axis: 0, 96..<192), b.sliced(axis: 0, 0..<96)]
                let expected = format == .comfyui ? b : Tensor.concatenated(halves, axis: 0)
                #expect(back?.tensor.floats == expected.floats, "\(format)")
            }
            #expect(try file.exported(as: .peft).notices.count == 1)
        }
    }

    // MARK: Without a model

    @Test func proportionsFromTheFileAlone() throws {
        for key in [
            "lora_unet_single_blocks_1_linear2.lora_down.weight",
            "transformer.single_transformer_blocks.1.proj_out.lora_A.weight",
        ] {
            let up = key.replacing("lora_A", with: "lora_B").replacing("down", with: "up")
            let archive = MemoryArchive(
                path: "f", [(key, Tensor.sample([2, 480], seed: 1)), (up, Tensor.sample([96, 2], seed: 1))])
            let naming = try AdapterNaming.flux(adaptedBy: archive)
            #expect(naming.layers.first { $0.name == "transformer_blocks.0.ff.net.2" }?.inputs == 384)
            #expect(try AdapterFile(archive, naming: naming).layerNames == ["single_transformer_blocks.1.proj_out"])
        }
        #expect(throws: FileError.self) {
            try AdapterNaming.flux(
                adaptedBy: MemoryArchive(path: "f", [("x_embedder.lora_A.weight", Tensor(zeros: [2, 384]))]))
        }
    }

    @Test func summaries() throws {
        let set = try injected(
            AdapterConfiguration(LoRAMethod(rank: 3, alpha: 6), targets: ["*.attn.to_q", "*.ff.net.2"]))
        defer { set.remove() }
        func summary(_ format: AdapterFormat) throws -> [String] {
            try AdapterSummary(MemoryArchive(path: "f", set.exported(as: format, naming: naming).tensors)).lines
        }
        #expect(try summary(.peft) == ["layout of diffusers: 7 LoRAs of rank 3"])
        #expect(try summary(.kohya) == ["layout of kohya sd-scripts: 7 LoRAs of rank 3, alpha 6.0"])
        #expect(try summary(.comfyui) == ["layout of ComfyUI: 7 LoRAs of rank 3, alpha 6.0"])
    }
}
