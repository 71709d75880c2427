import TensorCore
import TensorIO

/// Tells a model's proportions from the shapes of its tensors, as fields of `config.json`.
struct ModelShapes {
    private let archive: any TensorArchive
    private let keyNaming: ModelFile.KeyNaming

    init(_ archive: any TensorArchive, keyNaming: ModelFile.KeyNaming) {
        self.archive = archive
        self.keyNaming = keyNaming
    }

    func fields(of part: PipelineFolder.Part) throws -> [String: JSONValue] {
        switch part {
        case .transformer: try transformer()
        case .vae: try autoencoder()
        case .textEncoder: try clip()
        case .textEncoder2: try t5()
        case .tokenizer, .tokenizer2, .scheduler: preconditionFailure("\(part) has no tensors")
        }
    }

    // MARK: Models

    private func transformer() throws -> [String: JSONValue] {
        let isBlackForest = keyNaming == .blackForest
        func name(_ ours: String, _ diffusers: String) -> String { isBlackForest ? ours : diffusers }
        let latents = name("img_in.weight", "x_embedder.weight")
        let doubleBlocks = count(name("double_blocks.", "transformer_blocks."))
        let norm =
            doubleBlocks > 0
            ? name("double_blocks.0.img_attn.norm.query_norm.scale", "transformer_blocks.0.attn.norm_q.weight")
            : name("single_blocks.0.norm.query_norm.scale", "single_transformer_blocks.0.attn.norm_q.weight")
        let (width, head) = (try extent(latents, 0, of: 2), try extent(norm, 0, of: 1))
        guard head > 0, width % head == 0 else {
            throw FileError(archive.path, key: norm, expected: "a divisor of the width, \(width)", found: "\(head)")
        }
        // How a head's channels are shared among the coordinates leaves no trace in the tensors.
        guard head == 128 else {
            throw FileError(
                archive.path, key: norm,
                expected: "heads of 128 channels as in FLUX.1, or the metadata '\(ModelFile.configurationKey)'",
                found: "\(head) channels")
        }
        return [
            "in_channels": JSONValue(try extent(latents, 1, of: 2)),
            "out_channels": JSONValue(try extent(name("final_layer.linear.weight", "proj_out.weight"), 0, of: 2)),
            "num_layers": JSONValue(doubleBlocks),
            "num_single_layers": JSONValue(count(name("single_blocks.", "single_transformer_blocks."))),
            "attention_head_dim": JSONValue(head),
            "num_attention_heads": JSONValue(width / head),
            "joint_attention_dim": JSONValue(try extent(name("txt_in.weight", "context_embedder.weight"), 1, of: 2)),
            "pooled_projection_dim": JSONValue(
                try extent(
                    name("vector_in.in_layer.weight", "time_text_embed.text_embedder.linear_1.weight"), 1, of: 2)),
            "guidance_embeds": JSONValue(
                contains(name("guidance_in.in_layer.weight", "time_text_embed.guidance_embedder.linear_1.weight"))),
            "axes_dims_rope": [16, 56, 56],
        ]
    }

    private func autoencoder() throws -> [String: JSONValue] {
        let isBlackForest = keyNaming == .blackForest
        let stage = isBlackForest ? "encoder.down." : "encoder.down_blocks."
        let block = isBlackForest ? "block" : "resnets"
        let stages = min(count(stage), 64)
        let channels = try (0..<stages).map { try extent("\(stage)\($0).\(block).0.conv1.weight", 0, of: 4) }
        let latents = try extent("decoder.conv_in.weight", 1, of: 4)
        guard latents == 16 else {
            throw FileError(
                archive.path, key: "decoder.conv_in.weight",
                expected: "16 latent channels as FLUX.1 has, or the metadata '\(ModelFile.configurationKey)'",
                found: "\(latents)")
        }
        return [
            "in_channels": JSONValue(try extent("encoder.conv_in.weight", 1, of: 4)),
            "out_channels": JSONValue(try extent("decoder.conv_out.weight", 0, of: 4)),
            "latent_channels": JSONValue(latents),
            "block_out_channels": .array(channels.map { JSONValue($0) }),
            "layers_per_block": JSONValue(count("\(stage)0.\(block).")),
            "norm_num_groups": 32,
            "scaling_factor": 0.3611,
            "shift_factor": 0.1159,
            "mid_block_add_attention": JSONValue(
                contains(
                    isBlackForest ? "encoder.mid.attn_1.q.weight" : "encoder.mid_block.attentions.0.group_norm.weight")),
            "use_quant_conv": JSONValue(contains("quant_conv.weight")),
            "use_post_quant_conv": JSONValue(contains("post_quant_conv.weight")),
            "down_block_types": .array(Array(repeating: "DownEncoderBlock2D", count: stages)),
            "up_block_types": .array(Array(repeating: "UpDecoderBlock2D", count: stages)),
        ]
    }

    private func clip() throws -> [String: JSONValue] {
        let prefix = contains("embeddings.token_embedding.weight") ? "" : "text_model."
        let tokens = "\(prefix)embeddings.token_embedding.weight"
        let (vocabulary, width) = (try extent(tokens, 0, of: 2), try extent(tokens, 1, of: 2))
        guard width > 0, width % 64 == 0 else {
            throw FileError(
                archive.path, key: tokens,
                expected: "a width of whole heads of 64, or the metadata '\(ModelFile.configurationKey)'",
                found: "\(width)")
        }
        return [
            "architectures": ["CLIPTextModel"],
            "vocab_size": JSONValue(vocabulary),
            "hidden_size": JSONValue(width),
            "intermediate_size": JSONValue(try extent("\(prefix)encoder.layers.0.mlp.fc1.weight", 0, of: 2)),
            "num_hidden_layers": JSONValue(count("\(prefix)encoder.layers.")),
            "num_attention_heads": JSONValue(width / 64),
            "max_position_embeddings": JSONValue(try extent("\(prefix)embeddings.position_embedding.weight", 0, of: 2)),
            // OpenAI's models have the one, OpenCLIP's, which are wider, the other.
            "hidden_act": width == 768 ? "quick_gelu" : "gelu",
            "layer_norm_eps": 1e-5,
            "eos_token_id": JSONValue(max(vocabulary - 1, 0)),
        ]
    }

    private func t5() throws -> [String: JSONValue] {
        let isLlama = keyNaming == .llama
        func name(_ ours: String, _ transformers: String) -> String { isLlama ? ours : transformers }
        let tables = isLlama ? ["token_embd.weight"] : ["shared.weight", "encoder.embed_tokens.weight"]
        let tokens = tables.first(where: contains) ?? tables[0]
        let block = "encoder.block.0.layer"
        let bias = name("enc.blk.0.attn_rel_b.weight", "\(block).0.SelfAttention.relative_attention_bias.weight")
        let query = name("enc.blk.0.attn_q.weight", "\(block).0.SelfAttention.q.weight")
        let (heads, inner) = (try extent(bias, 1, of: 2), try extent(query, 0, of: 2))
        guard heads > 0, inner % heads == 0 else {
            throw FileError(archive.path, key: query, expected: "rows for each of \(heads) heads", found: "\(inner)")
        }
        return [
            "architectures": ["T5EncoderModel"],
            "vocab_size": JSONValue(try extent(tokens, 0, of: 2)),
            "d_model": JSONValue(try extent(tokens, 1, of: 2)),
            "d_kv": JSONValue(inner / heads),
            "d_ff": JSONValue(
                try extent(name("enc.blk.0.ffn_gate.weight", "\(block).1.DenseReluDense.wi_0.weight"), 0, of: 2)),
            "num_layers": JSONValue(count(name("enc.blk.", "encoder.block."))),
            "num_heads": JSONValue(heads),
            "relative_attention_num_buckets": JSONValue(try extent(bias, 0, of: 2)),
            "layer_norm_epsilon": 1e-6,
            "feed_forward_proj": "gated-gelu",
        ]
    }

    // MARK: Tensors

    private func contains(_ name: String) -> Bool { archive.info(name) != nil }

    /// An extent of a tensor that must be there and have `rank` axes.
    private func extent(_ name: String, _ axis: Int, of rank: Int) throws -> Int {
        guard let info = archive.info(name) else {
            throw FileError(
                archive.path, key: name, expected: "a tensor that tells the model's proportions", found: "none")
        }
        guard info.shape.rank == rank else {
            throw FileError(archive.path, key: name, expected: "\(rank) axes", found: "\(info.shape)")
        }
        return info.shape[axis]
    }

    /// One more than the largest number that follows `prefix` in a name.
    private func count(_ prefix: String) -> Int {
        archive.names.reduce(0) { count, name in
            guard name.hasPrefix(prefix) else { return count }
            let digits = name.dropFirst(prefix.count).prefix { $0.isASCII && $0.isNumber }
            return max(count, Int(digits).map { $0 == .max ? $0 : $0 + 1 } ?? 0)
        }
    }
}
