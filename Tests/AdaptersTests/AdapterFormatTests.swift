import Adapters
import Autograd
import Foundation
import NeuralNet
import TensorCore
import TensorIO
import TestSupport
import Testing

@Suite struct AdapterFormatTests {
    private static let mixed: AdapterConfiguration = {
        var configuration = Sample.configuration
        configuration[LoRAMoEMethod.self]?.routing.topK = 2
        configuration[LoRAMoEMethod.self]?.routing.renormalizesWeights = true
        return configuration
    }()
    private static let plain = AdapterConfiguration(
        LoRAMethod(rank: 3, alpha: 4.5), targets: ["x_embedder", "blocks.*", "proj_out"])

    /// Writes to a real file and reads it into another copy of the model.
    private func roundTrip(
        _ configuration: AdapterConfiguration, _ format: AdapterFormat, dtype: DType = .float32
    ) throws -> (
        original: (TinyModel, AdapterSet), read: (TinyModel, AdapterSet), file: SafetensorsFile, notices: [String]
    ) {
        let folder = try Fixtures.scratchFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = folder.appending(path: "adapter.safetensors").path
        let (model, copy) = (try TinyModel(), try TinyModel())
        let adapters = try Sample.adapters(configuration, in: model)
        let notices = try adapters.write(to: path, format: format, dtype: dtype, metadata: ["trigger": "A diptych"])
        let file = try SafetensorsFile(path: path)
        let read = try AdapterSet(loading: file, into: copy, pooledWidth: 3)
        for model in [model, copy] { model.pooledText = Sample.pooledText }
        return ((model, adapters), (copy, read), file, notices)
    }

    private func expectSame(_ a: AdapterSet, _ b: AdapterSet) {
        #expect(a.parameters.map(\.name) == b.parameters.map(\.name))
        for (x, y) in zip(a.parameters, b.parameters) {
            #expect(x.parameter.value.floats == y.parameter.value.floats, "\(x.name)")
        }
        for (x, y) in zip(a.mixtures, b.mixtures) {
            #expect(x.router.options == y.router.options && x.alpha == y.alpha && x.experts == y.experts)
        }
    }

    @Test func ownLayoutIsExact() throws {
        for input in RouterInput.allCases {
            var configuration = Self.mixed
            configuration[LoRAMoEMethod.self]?.routing.input = input
            let (original, read, file, notices) = try roundTrip(configuration, .diptych)
            expectSame(original.1, read.1)
            #expect(original.0(Sample.input).value.floats == read.0(Sample.input).value.floats)
            #expect(notices.isEmpty && file.metadata["trigger"] == "A diptych" && file.metadata["format"] == "pt")
        }
    }

    @Test func releasedLayout() throws {
        let (original, read, file, notices) = try roundTrip(Self.mixed, .icedit)
        #expect(
            file.names.filter { $0.contains("blocks.0.ff") }.sorted() == [
                "transformer.blocks.0.ff.net.2.lora_A.expert_0.weight",
                "transformer.blocks.0.ff.net.2.lora_A.expert_1.weight",
                "transformer.blocks.0.ff.net.2.lora_A.expert_2.weight",
                "transformer.blocks.0.ff.net.2.lora_B.expert_0.weight",
                "transformer.blocks.0.ff.net.2.lora_B.expert_1.weight",
                "transformer.blocks.0.ff.net.2.lora_B.expert_2.weight",
                "transformer.blocks.0.ff.net.2.lora_route.weight",
            ])
        #expect(file.info("transformer.blocks.0.ff.net.2.lora_A.expert_1.weight")?.shape == [2, 10])
        #expect(file.info("transformer.blocks.0.ff.net.2.lora_B.expert_1.weight")?.shape == [8, 2])
        // Without alpha in the layout the scales 6 / 3 and 3 / 2 stand in B; the function is the same.
        #expect(file.metadata["lora_adapter_metadata"] == nil)
        let mixture = try #require(read.1.mixtures.first)
        #expect(mixture.alpha == 2 && mixture.router.options == original.1.mixtures[0].router.options)
        #expect(largestDifference(original.0(Sample.input).value, read.0(Sample.input).value) < 3e-5)
        #expect(
            notices.count == 1
                && notices[0].contains("2 mixtures were trained with gate softmax_before_top_k and top-2"))

        var upstream = Self.mixed
        upstream[LoRAMoEMethod.self]?.routing = .upstream
        #expect(try roundTrip(upstream, .icedit).notices.isEmpty)
    }

    @Test func releasedFilesWithoutOurHeader() throws {
        let (original, _, file, _) = try roundTrip(Self.mixed, .icedit)
        let bare = MemoryArchive(tensors: try file.names.map { ($0, try file.tensor($0)) })
        let read = try AdapterSet(loading: bare, into: try TinyModel())
        for mixture in read.mixtures {
            #expect(mixture.router.options == .upstream && mixture.alpha == Float(mixture.rank))
        }
        let forced = RoutingOptions(topK: 2, gate: .softmaxBeforeTopK, renormalizesWeights: true)
        let model = try TinyModel()
        let same = try AdapterSet(loading: bare, into: model, routing: forced)
        #expect(same.mixtures.allSatisfy { $0.router.options == forced })
        #expect(largestDifference(original.0(Sample.input).value, model(Sample.input).value) < 3e-5)
    }

    @Test func peftLayout() throws {
        let (original, read, file, notices) = try roundTrip(Self.plain, .peft)
        expectSame(original.1, read.1)
        #expect(original.0(Sample.input).value.floats == read.0(Sample.input).value.floats)
        #expect(notices.isEmpty)
        #expect(file.names.contains("transformer.blocks.0.attn.to_q.lora_A.weight") && file.names.count == 12)
        let text = try #require(file.metadata["lora_adapter_metadata"])
        let json = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
        #expect(json["transformer.r"] as? Int == 3 && json["transformer.lora_alpha"] as? Double == 4.5)
        #expect((json["transformer.target_modules"] as? [String])?.contains("blocks.1.ff.net.2") == true)
    }

    @Test func narrowTypesAreRoundedOnce() throws {
        let (original, read, file, _) = try roundTrip(Self.plain, .peft, dtype: .bfloat16)
        #expect(file.names.allSatisfy { file.info($0)?.dtype == .bfloat16 })
        for (x, y) in zip(original.1.parameters, read.1.parameters) {
            #expect(y.parameter.value.dtype == .float32)
            #expect(x.parameter.value.converted(to: .bfloat16).floats == y.parameter.value.floats)
        }
    }

    @Test func numbersThatANarrowTypeCannotHold() throws {
        let adapters = try Sample.adapters(Self.plain, in: try TinyModel())
        let parameter = try #require(adapters.parameters.first { $0.name.hasSuffix("lora_B.weight") }?.parameter)
        let count = parameter.value.count
        parameter.replace(parameter.value * 1e-8)
        for format in [AdapterFormat.peft, .icedit, .diptych] {
            let notices = try adapters.exported(as: format, dtype: .float16).notices
            #expect(notices.count == 1 && notices[0].contains("are too small for float16 and became 0"), "\(notices)")
            #expect(try adapters.exported(as: format, dtype: .bfloat16).notices.isEmpty)
        }
        parameter.replace(Tensor(full: parameter.value.shape, 7e4))
        let error = #expect(throws: FileError.self) { try adapters.exported(as: .peft, dtype: .float16) }
        #expect(error?.key == "transformer.x_embedder.lora_B.weight")
        #expect(error?.found == "\(count) that are too large, up to 70000.0", "\(error!)")
        #expect(try adapters.exported(as: .peft, dtype: .bfloat16).notices.isEmpty)
    }

    @Test func layoutsThatCannotHoldThem() throws {
        func message(_ configuration: AdapterConfiguration, _ format: AdapterFormat) throws -> String {
            let adapters = try Sample.adapters(configuration, in: try TinyModel())
            let error = #expect(throws: AdapterError.self) { try adapters.exported(as: format) }
            return error?.description ?? ""
        }
        #expect(
            try message(Self.mixed, .peft)
                == "adapter format 'peft': 'blocks.0.ff.net.2' is a mixture of experts, which diffusers cannot hold: "
                + "'icedit' and 'diptych' can, and diptych flatten-moe makes a plain LoRA of it")
        #expect(try message(Self.mixed, .kohya).contains("which a file of kohya's programs cannot hold"))
        // The tiny model has no authors with names of their own.
        #expect(
            try message(Self.plain, .comfyui)
                == "adapter format 'comfyui': 'blocks.0.attn.to_q' has no name among the 0 layers of the layout")
        var textual = Self.mixed
        textual[LoRAMoEMethod.self]?.routing.input = .tokenAndPooledText
        #expect(
            try message(textual, .icedit)
                == "adapter format 'icedit': the router of 'blocks.0.ff.net.2' sees the pooled "
                + "text, which ICEdit's own programs cannot run: use 'diptych'")
    }

    /// One LoRA at `x_embedder` under the given keys.
    private func read(
        _ a: String, _ b: String, metadata: [String: String] = [:], alpha: (String, Tensor)? = nil
    ) throws -> LoRA {
        var archive = MemoryArchive(tensors: [(a, Sample.random(1, [4, 6])), (b, Sample.random(2, [8, 4]))])
        if let alpha { archive[alpha.0] = alpha.1 }
        let model = try TinyModel()
        let adapters = try AdapterSet(loading: archive, metadata: metadata, into: model)
        guard let lora = adapters.members[0].adapter as? LoRA else {
            throw FileError("test", expected: "a LoRA", found: "a mixture")
        }
        #expect(adapters.members.count == 1 && model.entrance.adapters.first === lora && lora.rank == 4)
        return lora
    }

    @Test(arguments: ["transformer.", "", "base_model.model.", "base_model.model.transformer."])
    func prefixesAndInfixes(prefix: String) throws {
        for infix in ["", ".default"] {
            let lora = try read(
                prefix + "x_embedder.lora_A\(infix).weight", prefix + "x_embedder.lora_B\(infix).weight")
            #expect(lora.alpha == 4)
        }
    }

    @Test func alphasInTheirManyPlaces() throws {
        let (a, b) = ("transformer.x_embedder.lora_A.weight", "transformer.x_embedder.lora_B.weight")
        func alpha(_ json: String) throws -> Float { try read(a, b, metadata: ["lora_adapter_metadata": json]).alpha }
        #expect(try alpha("{\"transformer.lora_alpha\": 8, \"transformer.r\": 4}") == 8)
        #expect(try alpha("{\"lora_alpha\": 2.5}") == 2.5)
        #expect(try alpha("{}") == 4)
        #expect(try alpha("{\"lora_alpha\": 8, \"alpha_pattern\": {\"x_embedder\": 16}}") == 16)
        #expect(try alpha("{\"lora_alpha\": 8, \"alpha_pattern\": {\"^x_embedder\": 16, \"proj_out\": 1}}") == 16)
        #expect(try alpha("{\"lora_alpha\": 8, \"alpha_pattern\": {\"embedder\": 16}}") == 8)
        // rsLoRA: alpha / sqrt(r) = 8 / 2 = 16 / 4.
        #expect(try alpha("{\"lora_alpha\": 8, \"use_rslora\": true}") == 16)
        for alpha in [Tensor(6), Tensor([Int64(6)], []), Tensor([Int32(6)], [1]), Tensor([UInt8(6)], [])] {
            #expect(try read(a, b, alpha: ("transformer.x_embedder.alpha", alpha)).alpha == 6, "\(alpha.dtype)")
        }
        // Of several patterns the first of the file counts.
        #expect(
            try alpha("{\"lora_alpha\": 8, \"alpha_pattern\": {\"x_embedder\": 16, \".*embedder\": 2}}") == 16)
        #expect(
            try alpha("{\"lora_alpha\": 8, \"alpha_pattern\": {\"x_.*\": 2, \"x_embedder\": 16}}") == 2)
    }

    @Test func differingRanksAndAlphasSurvive() throws {
        let model = try TinyModel()
        var archive = MemoryArchive(tensors: [])
        for (layer, shape, rank, alpha) in [
            ("proj_out", (8, 5), 2, 7), ("x_embedder", (6, 8), 4, 4), ("blocks.0.attn.to_q", (8, 10), 4, 4),
        ] {
            archive["\(layer).lora_A.weight"] = Sample.random(1, [rank, shape.0])
            archive["\(layer).lora_B.weight"] = Sample.random(2, [shape.1, rank])
            archive["\(layer).alpha"] = Tensor(Float(alpha))
        }
        let adapters = try AdapterSet(loading: archive, into: model)
        let output = model(Sample.input).value.floats
        let exported = try adapters.exported(as: .peft)
        let text = try #require(exported.metadata["lora_adapter_metadata"])
        #expect(text.contains("\"transformer.alpha_pattern\":{\"^proj_out\":7}"))
        #expect(text.contains("\"transformer.rank_pattern\":{\"^proj_out\":2}"))
        adapters.remove()
        _ = try AdapterSet(
            loading: MemoryArchive(tensors: exported.tensors), metadata: exported.metadata, into: model)
        #expect(model(Sample.input).value.floats == output)
    }
}
