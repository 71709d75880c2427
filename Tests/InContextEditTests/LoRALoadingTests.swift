import Adapters
import Autograd
import Foundation
import InContextEdit
import Models
import TensorCore
import TensorIO
import TestSupport
import Testing

/// LoRAs whose loading PEFT and diffusers decide give what these two give (`Tests/Reference/make_lora_loading_fixtures.py`).
@Suite struct LoRALoadingTests {
    private let transformer: FluxTransformer
    private let input: FluxInput
    private let expected: SafetensorsFile
    private let folder: URL
    private var naming: AdapterNaming { .flux(transformer.configuration) }

    init() throws {
        let fixture = try SafetensorsFile(path: Fixtures.path("adapters.safetensors"))
        transformer = try FluxTransformer.load(folder: Fixtures.path("tiny-random-fill/transformer"))
        func given(_ name: String) throws -> Tensor { try fixture.tensor("input/\(name)") }
        input = FluxInput(
            latents: Variable(try given("hidden_states")), text: Variable(try given("encoder_hidden_states")),
            pooled: Variable(try given("pooled_projections")), timestep: try given("timestep"),
            guidance: try given("guidance"), imageIDs: try given("img_ids"), textIDs: Tensor(zeros: [5, 3]))
        expected = try SafetensorsFile(path: Fixtures.path("lora-loading/outputs.safetensors"))
        folder = try Fixtures.scratchFolder()
    }

    private func remove() { try? FileManager.default.removeItem(at: folder) }
    private func path(_ name: String) -> String { folder.appending(path: name).path }

    /// A copy of PEFT's files under a name, the configuration changed.
    private func copy(as name: String, _ change: (String) -> String = { $0 }) throws {
        let source = Fixtures.folder.appending(path: "lora-loading/peft")
        try FileManager.default.copyItem(
            at: source.appending(path: "adapter_model.safetensors"), to: folder.appending(path: name))
        let text = try String(contentsOf: source.appending(path: "adapter_config.json"), encoding: .utf8)
        try change(text).write(toFile: path("adapter_config.json"), atomically: true, encoding: .utf8)
    }

    private func load(_ path: String) throws -> AdapterSet {
        try AdapterSet(loading: SafetensorsFile(path: path), into: transformer, naming: naming)
    }

    private func error(of set: AdapterSet, _ name: String) throws -> Float {
        defer { set.remove() }
        let output = withoutGradients { transformer(input).value }
        return zip(output.floats, try expected.tensor(name).floats).map { abs($0 - $1) }.max() ?? .infinity
    }

    @Test(arguments: ["adapter_model.safetensors", "my style.safetensors"])
    func pEFTsConfigurationUnderAnyName(name: String) throws {
        defer { remove() }
        try copy(as: name)
        let set = try load(path(name))
        var scales = 0
        for member in set.members {
            guard let lora = member.adapter as? LoRA else { continue }
            let scale = try expected.tensor("scale/\(member.name)").scalar
            #expect(abs(lora.alpha / Float(lora.rank) - scale) < 1e-6, "\(member.name)")
            scales += 1
        }
        #expect(scales == 16)
        let isRenamed = name != "adapter_model.safetensors"
        #expect(set.notices.count == (isRenamed ? 1 : 0), "\(set.notices)")
        if isRenamed { #expect(set.notices[0].contains("adapter_config.json beside it")) }
        let error = try error(of: set, "peft")
        print("PEFT's overlapping patterns with rsLoRA: max error \(error)")
        #expect(error < 1e-4)
        // Inspected it says the same.
        #expect(try AdapterSummary(SafetensorsFile(path: path(name))).layersWithoutAlpha == 0)
    }

    @Test func configurationsOfOtherFiles() throws {
        defer { remove() }
        try copy(as: "other.safetensors") { $0.replacing("\"r\": 4", with: "\"r\": 16") }
        let set = try load(path("other.safetensors"))
        #expect(set.notices.count == 1 && set.notices[0].contains("is of another file than"), "\(set.notices)")
        for member in set.members {
            guard let lora = member.adapter as? LoRA else { continue }
            #expect(lora.alpha == Float(lora.rank))
        }
        set.remove()
        try FileManager.default.removeItem(atPath: path("adapter_config.json"))
        try FileManager.default.removeItem(atPath: path("other.safetensors"))
        try copy(as: "other.safetensors") { $0.replacing("\"to_k\"", with: "\"to_v\"") }
        let unnamed = try load(path("other.safetensors"))
        unnamed.remove()
        #expect(
            unnamed.notices.count == 1
                && unnamed.notices[0].contains("since it does not name 'single_transformer_blocks.0.attn.to_k'"),
            "\(unnamed.notices)")
        // Beside PEFT's own name another rank is a contradiction.
        try FileManager.default.removeItem(atPath: path("adapter_config.json"))
        try FileManager.default.removeItem(atPath: path("other.safetensors"))
        try copy(as: "other.safetensors") { $0.replacing("\"r\": 4", with: "\"r\": 16") }
        try FileManager.default.copyItem(atPath: path("other.safetensors"), toPath: path("adapter_model.safetensors"))
        let error = #expect(throws: FileError.self) { try load(path("adapter_model.safetensors")) }
        #expect(error?.path == path("adapter_config.json") && error?.key == "r" && error?.found == "16", "\(error!)")
    }

    @Test(arguments: [
        ("\"peft_type\": \"LORA\"", "\"peft_type\": \"LOHA\"", "peft_type: expected LORA, found LOHA"),
        (
            "\"init_lora_weights\": true", "\"init_lora_weights\": \"pissa_niter_4\"",
            "found 'pissa_niter_4', which changes them"
        ),
        ("\"use_qalora\": false", "\"use_qalora\": true", "use_qalora: expected false: QALoRA is not supported"),
        ("\"r\": 4", "\"r\": \"four\"", "r: expected a finite number, found four"),
        ("{", "[", "expected a JSON object"),
        ("\"to_q\": 1", "\"to_q\": 1, \"to_q\": 1", "expected a JSON object with each key once"),
    ])
    func configurationsThatAreRefused(old: String, new: String, line: String) throws {
        defer { remove() }
        try copy(as: "my.safetensors") { $0.replacing(old, with: new, maxReplacements: 1) }
        let error = #expect(throws: FileError.self) { try load(path("my.safetensors")) }
        #expect(error?.path == path("adapter_config.json") && "\(error!)".contains(line), "\(error!)")
    }

    /// What adapts the 64 inputs of FLUX.1 [dev] is put on the latents, as diffusers does.
    @Test func aRelativesEntrance() throws {
        defer { remove() }
        let file = Fixtures.path("lora-loading/entrance.safetensors")
        let set = try load(file)
        #expect(
            set.notices == [
                "\(file): 'x_embedder' has 64 inputs, as in FLUX.1 [dev] or [schnell]: they are placed on the first of the "
                    + "model's 384, which are the latents"
            ])
        let error = try error(of: set, "entrance")
        print("a LoRA of [dev]'s entrance on Fill: max error \(error)")
        #expect(error < 1e-4)
        let tensors = [Float(0.5), 1].enumerated().map { index, size in
            (
                ["lora_unet_img_in.lora_down.weight", "lora_unet_img_in.lora_up.weight"][index],
                Tensor(full: index == 0 ? [2, 128] : [96, 2], size)
            )
        }
        let other = #expect(throws: FileError.self) {
            try AdapterFile(MemoryArchive(path: "canny", tensors), naming: naming)
        }
        #expect(
            "\(other!)"
                == "canny: lora_unet_img_in.lora_down.weight: expected the 384 inputs of FLUX.1 [Fill], found 128, an "
                + "adapter of FLUX.1 [Canny] or [Depth]")
        // Turned into another layout without a base it stays what it is.
        var wide = try SafetensorsFile(path: file).names.map { ($0, try SafetensorsFile(path: file).tensor($0)) }
        wide += [
            ("transformer.single_transformer_blocks.0.proj_out.lora_A.weight", Tensor(full: [1, 480], 1)),
            ("transformer.single_transformer_blocks.0.proj_out.lora_B.weight", Tensor(full: [96, 1], 1)),
        ]
        let archive = MemoryArchive(path: "dev", wide)
        let exported = try AdapterFile(archive, naming: .flux(adaptedBy: archive)).exported(as: .comfyui)
        let down = exported.tensors.first { $0.name == "diffusion_model.img_in.lora_A.weight" }
        #expect(down?.tensor.shape == [4, 64])
    }
}
