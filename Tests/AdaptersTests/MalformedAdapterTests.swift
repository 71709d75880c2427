import Adapters
import NeuralNet
import TensorCore
import TensorIO
import Testing

/// Every way in which an adapter file can be wrong, and the line that says so.
@Suite struct MalformedAdapterTests {
    private static let a = "transformer.x_embedder.lora_A.weight"
    private static let b = "transformer.x_embedder.lora_B.weight"
    private static let mixture = "transformer.blocks.0.ff.net.2."

    /// A LoRA at `x_embedder` and two experts of rank 2 at `blocks.0.ff.net.2`.
    private static func archive() -> MemoryArchive {
        var archive = MemoryArchive(tensors: [(a, Sample.random(1, [4, 6])), (b, Sample.random(2, [8, 4]))])
        for expert in 0..<2 {
            archive[mixture + "lora_A.expert_\(expert).weight"] = Sample.random(3, [2, 10])
            archive[mixture + "lora_B.expert_\(expert).weight"] = Sample.random(4, [8, 2])
        }
        archive[mixture + "lora_route.weight"] = Sample.random(5, [2, 10])
        return archive
    }

    private func message(
        metadata: [String: String] = [:], routing: RoutingOptions? = nil, pooledWidth: Int? = 3,
        _ change: (inout MemoryArchive) -> Void = { _ in }
    ) throws -> String {
        var archive = Self.archive()
        change(&archive)
        let model = try TinyModel()
        do {
            _ = try AdapterSet(
                loading: archive, metadata: metadata, into: model, pooledWidth: pooledWidth, routing: routing)
            return "no error"
        } catch {
            #expect(model.entrance.adapters.isEmpty && model.blocks[0].second.adapters.isEmpty)
            let line = "\(error)"
            #expect(!line.contains("\n"))
            return line
        }
    }

    @Test func soundFile() throws { #expect(try message() == "no error") }

    @Test func missingTensors() throws {
        #expect(
            try message { $0[Self.b] = nil }
                == "adapter.safetensors: transformer.x_embedder.lora_B.weight: expected a tensor "
                + "beside 'transformer.x_embedder.lora_A.weight', found none")
        #expect(try message { $0[Self.a] = nil }.contains("x_embedder.lora_A.weight: expected a tensor beside"))
        #expect(
            try message { $0[Self.mixture + "lora_route.weight"] = nil }.contains(
                "lora_route.weight: expected a tensor"))
        #expect(
            try message { $0[Self.mixture + "lora_B.expert_1.weight"] = nil }.contains(
                "lora_B.expert_1.weight: expected a tensor beside"))
        #expect(
            try message {
                $0[Self.mixture + "lora_A.expert_0.weight"] = nil
                $0[Self.mixture + "lora_B.expert_0.weight"] = nil
            }.contains("expected experts numbered from 0 without gaps, found expert 1 but not expert 0"))
        #expect(
            try message { $0.tensors = [] } == "adapter.safetensors: expected the tensors of an adapter, found none")
    }

    @Test func wrongShapesAndTypes() throws {
        #expect(
            try message { $0[Self.a] = Tensor(zeros: [4, 7]) }
                == "adapter.safetensors: \(Self.a): expected shape [r, 6], "
                + "found [4, 7]")
        #expect(try message { $0[Self.a] = Tensor(zeros: [0, 6]) }.contains("expected shape [r, 6], found [0, 6]"))
        #expect(try message { $0[Self.a] = Tensor(zeros: [6]) }.contains("expected shape [r, 6], found [6]"))
        #expect(
            try message { $0[Self.b] = Tensor(zeros: [8, 3]) }.contains(
                "\(Self.b): expected shape [8, 4], found [8, 3]"))
        #expect(
            try message { $0[Self.mixture + "lora_A.expert_1.weight"] = Tensor(zeros: [3, 10]) }.contains(
                "lora_A.expert_1.weight: expected shape [2, 10], found [3, 10]"))
        #expect(
            try message { $0[Self.mixture + "lora_route.weight"] = Tensor(zeros: [3, 10]) }.contains(
                "lora_route.weight: expected shape [2, 10], found [3, 10]"))
        #expect(
            try message { $0[Self.a] = Tensor(zeros: [4, 6], dtype: .int32) }.contains(
                "expected a floating-point type, found int32"))
        #expect(
            try message { $0[Self.a] = Tensor(full: [4, 6], .nan) }.contains(
                "expected finite numbers, found NaN or infinity"))
        #expect(
            try message { $0["transformer.x_embedder.alpha"] = Tensor(zeros: [2]) }.contains(
                "alpha: expected one finite number, found float32 [2]"))
    }

    @Test func unknownLayers() throws {
        #expect(
            try message { $0["transformer.blocks.0.attn.to_qq.lora_A.weight"] = Tensor(zeros: [2, 8]) }
                == "adapter.safetensors: transformer.blocks.0.attn.to_qq.lora_A.weight: expected the name of a linear layer "
                + "of the model, found 'blocks.0.attn.to_qq' (did you mean 'blocks.0.attn.to_q'?)")
        // A module, but no linear layer.
        #expect(try message { $0["blocks.0.lora_A.weight"] = Tensor(zeros: [2, 8]) }.contains("found 'blocks.0'"))
        #expect(
            try message { $0["x_embedder.lora_A.weight"] = Tensor(zeros: [4, 6]) }.contains(
                "x_embedder.lora_A.weight: expected each tensor once, found 'transformer.x_embedder.lora_A.weight' beside it"
            ))
    }

    @Test func foreignKeys() throws {
        func found(_ key: String) throws -> String { try message { $0[key] = Tensor(zeros: [2, 2]) } }
        #expect(
            try found("lora_unet_blocks_0_attn_to_p.lora_down.weight").contains(
                "found 'blocks_0_attn_to_p' (did you mean 'blocks_0_attn_to_q'?)"))
        #expect(
            try found("diffusion_model.blocks.0.attn.to_p.lora_A.weight").contains(
                "found 'blocks.0.attn.to_p' (did you mean 'blocks.0.attn.to_q'?)"))
        // One for a text encoder is left aside where there is another.
        #expect(try found("text_encoder.text_model.layers.0.lora_A.weight") == "no error")
        #expect(
            try message { $0.tensors = [("lora_te1_layers_0.lora_up.weight", Tensor(zeros: [2, 2]))] }.contains(
                "expected an adapter of a transformer, found an adapter of a text encoder"))
        #expect(
            try found("lora_unet_x_embedder.lokr_w1").contains("a LoKr, for a layer, found one of another beside them"))
        #expect(
            try found("lora_unet_proj_out.lokr_t2").contains("the core of a convolution's LoKr, which is not supported")
        )
        #expect(try found("lora_unet_x_embedder.hada_w1_a").contains("a LoHa, which is not supported"))
        #expect(try found("diffusion_model.x_embedder.diff_b").contains("a whole difference of weights"))
        #expect(try found("double_blocks.0.processor.qkv_lora1.down.weight").contains("a key of XLabs' layout"))
        #expect(
            try found("transformer.x_embedder.lora_magnitude_vector").contains(
                "expected a norm over the inputs for each of 8 outputs"))
        #expect(try found("transformer.x_embedder.lora_B.bias").contains("a bias of a LoRA"))
        #expect(try found("transformer.x_embedder.weight").contains("found another ending"))
        #expect(try found("transformer.x_embedder.lora_C.weight").contains("found another ending"))
        for expert in ["expert_x", "expert_-1", "expert_01", "expert_99999999999999999999", "specialist_0"] {
            #expect(try found(Self.mixture + "lora_A.\(expert).weight").contains("found '\(expert)' for an expert"))
        }
    }

    @Test func mixturesThatContradictThemselves() throws {
        #expect(
            try message { $0[Self.mixture + "lora_A.weight"] = Tensor(zeros: [2, 10]) }.contains(
                "expected experts or a plain LoRA, found both"))
        #expect(
            try message { $0["transformer.x_embedder.lora_route.weight"] = Tensor(zeros: [2, 6]) }.contains(
                "expected experts for the router, found a plain LoRA"))
        #expect(
            try message(routing: .init(topK: 3)).contains(
                "blocks.0.ff.net.2: expected topK between 1 and the number of experts, 2, found 3"))
        #expect(
            try message(routing: .init(input: .tokenAndPooledText)).contains(
                "expected routers that see 'tokenAndPooledText', found no such tensor"))
        let pooled = Self.mixture + "lora_route_pooled.weight"
        #expect(try message { $0[pooled] = Tensor(zeros: [2, 3]) } == "no error")
        #expect(try message { $0[pooled] = Tensor(zeros: [2, 4]) }.contains("expected shape [2, 3], found [2, 4]"))
        #expect(
            try message(pooledWidth: nil) { $0[pooled] = Tensor(zeros: [2, 3]) }.contains(
                "needs the width of the model's pooled text"))
    }

    @Test func malformedHeaders() throws {
        func peft(_ json: String) throws -> String { try message(metadata: ["lora_adapter_metadata": json]) }
        #expect(
            try peft("{\"r\": ")
                == "adapter.safetensors: lora_adapter_metadata: expected a JSON object, found '{\"r\": '")
        #expect(try peft("[1]").contains("expected a JSON object"))
        #expect(
            try peft("{\"transformer.lora_alpha\": \"big\"}").contains(
                "lora_adapter_metadata, lora_alpha: expected a finite number, found big"))
        #expect(try peft("{\"alpha_pattern\": 3}").contains("alpha_pattern: expected a JSON object, found 3"))
        #expect(try peft("{\"alpha_pattern\": {\"(\": 3}}").contains("expected a valid regular expression, found '('"))
        // Patterns that would take for ever to match a layer's name.
        let nested = String(repeating: "(", count: 1000)
        for pattern in ["(a+)+x", "(?:a|a)*x", "(a){2,}x", ".*.*.*.*x", nested] {
            #expect(
                try peft("{\"alpha_pattern\": {\"\(pattern)\": 3}}").contains(
                    "expected patterns of at most 512 characters and 3 repetitions, none of a group"), "\(pattern)")
        }
        #expect(try peft("{\"use_dora\": true}").contains("lora_magnitude_vector: expected a tensor beside"))

        func ours(_ json: String) throws -> String { try message(metadata: ["diptych_routing": json]) }
        let sound =
            "\"alpha\":2,\"topK\":1,\"gate\":\"softmaxAfterTopK\",\"renormalizesWeights\":false,\"routerInput\":\"token\""
        #expect(try ours("{\"blocks.0.ff.net.2\":{\"experts\":2,\(sound)}}") == "no error")
        #expect(
            try ours("{\"blocks.0.ff.net.2\":{\"experts\":3,\(sound)}}").contains(
                "diptych_routing, blocks.0.ff.net.2: expected 2 experts as in the tensors, found 3"))
        #expect(try ours("{\"blocks.0.ff.net.2\":{\(sound)}}").contains("found no 'experts' at blocks.0.ff.net.2"))
        #expect(try ours("{").contains("found no valid JSON"))
        #expect(
            try ours("{\"blocks.0.ff.net.2\":{\"experts\":2,\(sound.replacing("After", with: "Amid"))}}").contains(
                "found an unknown value at blocks.0.ff.net.2, gate"))
        #expect(
            try ours("{\"blocks.1.ff.net.2\":{\"experts\":2,\(sound)}}").contains(
                "expected layers with 'lora_route.weight', found 'blocks.1.ff.net.2' (did you mean 'blocks.0.ff.net.2'?)"
            ))
        #expect(
            try ours("{\"blocks.0.ff.net.2\":{\"experts\":2,\(sound.replacing("topK\":1", with: "topK\":5"))}}")
                .contains(
                    "expected topK between 1 and the number of experts, 2, found 5"))
    }
}
