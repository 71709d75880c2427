import Autograd
import Foundation
import Models
import NeuralNet
import TensorCore
import TensorIO
import TestSupport
import Testing

/// Text encoders and the autoencoder from the single files that ComfyUI's users keep, and pipelines put together.
@Suite struct EncoderLayoutTests {
    private let pipeline = Fixtures.path("tiny-random-fill")

    /// A file that Python made, in names that diffusers' converter understands.
    @Test func autoencoderInBlackForestNames() throws {
        let file = try ModelFile.open(Fixtures.path("layouts/vae-bfl.safetensors"), .vae)
        #expect(file.keyNaming == .blackForest)
        let (found, expected) = (
            try file.loadVAE(), try AutoencoderKL.load(folder: Fixtures.path("encoder-variant/vae"))
        )
        #expect(found.configuration == expected.configuration)
        for ((name, a), (other, b)) in zip(found.namedParameters(), expected.namedParameters()) {
            #expect(name == other && a.value.isIdentical(to: b.value), "\(name)")
        }
    }

    @Test func autoencoderOfFluxNeedsNoMetadata() throws {
        let file = try ConfigurationFile(path: pipeline + "/vae/config.json")
        var configuration = try AutoencoderKLConfiguration(file)
        configuration.blockOutChannels = [32, 64, 64, 64]
        configuration.normNumGroups = 32
        try LayoutFiles.inScratchFolder { folder in
            let path = folder + "/ae.safetensors"
            func write(_ shape: (KeyMapping) -> Shape) throws {
                try SafetensorsFile.write(
                    configuration.blackForestKeyMappings.map {
                        ($0.source, Tensor(zeros: shape($0), dtype: .bfloat16))
                    },
                    to: path)
            }
            // The attention's projections are 1 x 1 convolutions there.
            try write { mapping in
                let isProjection =
                    mapping.source.contains("attn_1.") && mapping.sourceShape.rank == 2
                return isProjection
                    ? Shape(mapping.sourceShape.dimensions + [1, 1]) : mapping.sourceShape
            }
            #expect(try ModelFile.open(path, .vae).loadVAE().configuration == configuration)
            let error = #expect(throws: FileError.self) { _ = try ModelFile.open(path, .transformer) }
            #expect(error?.found == "an image autoencoder with names as in BFL")
        }
    }

    /// A file of the Python package `gguf`: names, types and tokenizer as llama.cpp's converter writes them.
    @Test func t5FromLlamasFile() throws {
        let path = Fixtures.path("layouts/t5.gguf")
        let file = try ModelFile.open(path, .textEncoder2)
        #expect(file.keyNaming == .llama)
        let (found, expected) = (try file.loadT5(), try T5Encoder.load(folder: pipeline + "/text_encoder_2"))
        #expect(found.configuration == expected.configuration)
        let values = Dictionary(uniqueKeysWithValues: found.namedParameters().map { ($0.name, $0.parameter.value) })
        for (name, parameter) in expected.namedParameters() {
            let value = try #require(values[name])
            // Half precision holds these bfloat16 weights; two kinds of matrices are in eight bits.
            #expect(relativeDifference(value, from: parameter.value) < 0.01, "\(name)")
        }
        let ids = Tensor((0..<16).map { Int32($0 * 7 % 800) }, [1, 16])
        let error = relativeDifference(found(ids), from: expected(ids))
        print("T5 from GGUF (F16, Q8_0): relative difference \(error)")
        #expect(error < 0.02)
    }

    @Test func t5TokenizerFromLlamasFile() throws {
        let found = try T5Tokenizer(GGUFFile(path: Fixtures.path("layouts/t5.gguf")))
        let folder = try Fixtures.scratchFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        try FileManager.default.copyItem(
            atPath: pipeline + "/tokenizer_2/spiece.model", toPath: folder.appending(path: "spiece.model").path)
        let expected = try T5Tokenizer(folder: folder.path)
        #expect(found.eosTokenID == expected.eosTokenID && found.padTokenID == expected.padTokenID)
        for text in [
            "make the sky pink", "  Two   spaces, ½ and ﬁ, \u{3000}日本語 \n", "", "naïve café — “quoted”", "a</s>b",
        ] {
            #expect(found.encode(text) == expected.encode(text), "\(text)")
        }
        let error = #expect(throws: FileError.self) {
            _ = try T5Tokenizer(GGUFFile(path: Fixtures.path("gguf/blocks.gguf")))
        }
        #expect(error?.key == "tokenizer.ggml.model")
    }

    private func spieceTokenizer(_ folder: String) throws -> T5Tokenizer {
        let target = folder + "/words"
        try FileManager.default.createDirectory(atPath: target, withIntermediateDirectories: true)
        try FileManager.default.copyItem(
            atPath: pipeline + "/tokenizer_2/spiece.model", toPath: target + "/spiece.model")
        return try T5Tokenizer(folder: target)
    }

    @Test(arguments: ["bf16", "q8_0"]) func t5RoundTripsThroughOurFile(type: String) throws {
        let expected = try T5Encoder.load(folder: pipeline + "/text_encoder_2")
        try LayoutFiles.inScratchFolder { folder in
            let quantizer = try ModelQuantizer(pipeline, type: type, part: .textEncoder2)
            try quantizer.write(to: folder + "/t5.gguf") { _ in }
            let file = try GGUFFile(path: folder + "/t5.gguf")
            #expect(file.metadata["general.architecture"]?.text == "t5encoder")
            #expect(file.entry("enc.blk.0.attn_rel_b.weight")?.type.name == "F32")
            let (words, ours) = (try spieceTokenizer(folder), try T5Tokenizer(file))
            #expect(ours.eosTokenID == words.eosTokenID && ours.vocabularySize == words.vocabularySize)
            for text in [
                "make the sky pink", "  Two   spaces, ½ and ﬁ, \u{3000}日本語 \n", "", "naïve café — “quoted”",
            ] { #expect(ours.encode(text) == words.encode(text), "\(text)") }
            #expect(ours.tokenIDs(of: "<extra_id_0>").last == words.tokenIDs(of: "<extra_id_0>").last)
            // A file made from this file has the same.
            try ModelQuantizer(folder + "/t5.gguf", type: type).write(to: folder + "/again.gguf") { _ in }
            let again = try GGUFFile(path: folder + "/again.gguf")
            for key in file.metadataKeys where key.hasPrefix("tokenizer.") {
                #expect(again.metadata[key] == file.metadata[key], "\(key)")
            }
            let found = try ModelFile.open(folder + "/t5.gguf", .textEncoder2).loadT5()
            let ids = Tensor((0..<16).map { Int32($0 * 7 % 800) }, [1, 16])
            let error = relativeDifference(found(ids), from: expected(ids))
            #expect(type == "bf16" ? error == 0 : error > 0 && error < 0.02, "\(type): \(error)")
        }
    }

    @Test func clipFromASingleFile() throws {
        let source = try openTensorArchive(pipeline + "/text_encoder")
        let expected = try CLIPTextEncoder.load(folder: pipeline + "/text_encoder")
        let ids = Tensor((0..<77).map { Int32($0 == 9 ? 1093 : $0 * 13 % 1090) }, [1, 77])
        try LayoutFiles.inScratchFolder { folder in
            let path = folder + "/clip_l.safetensors"
            var tensors = try source.names.map { (name: $0, tensor: try source.tensor($0)) }
            tensors += [("logit_scale", Tensor(1)), ("text_projection.weight", Tensor(zeros: [48, 48]))]
            let text = try LayoutFiles.configuration(pipeline + "/text_encoder")
            try SafetensorsFile.write(tensors, metadata: [ModelFile.configurationKey: text], to: path)
            let found = try ModelFile.open(path, .textEncoder).loadCLIP()
            #expect(found(ids).pooled.isIdentical(to: expected(ids).pooled))
        }
    }

    /// CLIP-L's width with few tokens and one layer.
    @Test func clipProportionsAreToldFromTheShapes() throws {
        var configuration = try CLIPTextConfiguration(path: pipeline + "/text_encoder/config.json")
        (configuration.hiddenSize, configuration.numAttentionHeads, configuration.intermediateSize) = (768, 12, 24)
        (configuration.vocabSize, configuration.numHiddenLayers, configuration.eosTokenID) = (50, 1, 49)
        configuration.layerNormEps = 1e-5
        let model = CLIPTextEncoder(configuration, WeightLoader(initializing: .bfloat16, seed: 1))
        try LayoutFiles.inScratchFolder { folder in
            let path = folder + "/clip_l.safetensors"
            try SafetensorsFile.write(
                model.namedParameters().map { ("text_encoders.clip_l.transformer.\($0.name)", $0.parameter.value) },
                to: path)
            let file = try ModelFile.open(path, .textEncoder)
            #expect(file.prefix == "text_encoders.clip_l.transformer.")
            #expect(try file.loadCLIP().configuration == configuration)
        }
    }

    @Test func aPipelineIsPutTogetherFromFiles() throws {
        try LayoutFiles.inScratchFolder { folder in
            for name in ["tokenizer", "tokenizer_2"] {
                try FileManager.default.copyItem(atPath: "\(pipeline)/\(name)", toPath: "\(folder)/\(name)")
            }
            try LayoutFiles.writeBlackForest(to: folder + "/flux.safetensors")
            let parts = PipelineParts(
                folder: folder, transformer: folder + "/flux.safetensors", vae: pipeline + "/vae", clip: pipeline,
                t5: Fixtures.path("layouts/t5.gguf"))
            #expect(parts.namesAllModels)
            let (found, expected) = (
                try parts.loadTextEncoders(), try PipelineFolder(path: pipeline).loadTextEncoders()
            )
            let (a, b) = (
                found.encode(["a red car"], maximumLength: 16), expected.encode(["a red car"], maximumLength: 16)
            )
            #expect(a.pooled.isIdentical(to: b.pooled))
            #expect(relativeDifference(a.text, from: b.text) < 0.02)
            #expect(try parts.loadVAE().configuration.latentChannels == 16)
            #expect(try parts.loadScheduler() == .flux)
            let output = try LayoutFiles.output(parts.loadTransformer())
            #expect(try output.isIdentical(to: LayoutFiles.output(.load(folder: pipeline + "/transformer"))))

            // Without a folder for T5's tokenizer its GGUF file's is taken; without CLIP's nothing can be.
            try FileManager.default.removeItem(atPath: folder + "/tokenizer_2")
            #expect(try parts.loadTextEncoders().maximumLength == 512)
            try FileManager.default.removeItem(atPath: folder + "/tokenizer")
            let error = #expect(throws: FileError.self) { _ = try parts.loadTextEncoders() }
            #expect(error?.key == "tokenizer" && error?.path == folder)
        }
    }

    /// All models in one file, as ComfyUI's checkpoints have them.
    @Test func aWholeCheckpointHoldsSeveralModels() throws {
        try LayoutFiles.inScratchFolder { folder in
            let path = folder + "/all.safetensors"
            let t5 = try openTensorArchive(pipeline + "/text_encoder_2")
            let vae = try AutoencoderKLConfiguration(path: pipeline + "/vae/config.json")
            try LayoutFiles.writeBlackForest(to: path, prefix: "model.diffusion_model.") { tensors in
                for name in t5.names {
                    tensors.append(("text_encoders.t5xxl.transformer.\(name)", try! t5.tensor(name)))
                }
                tensors += try! LayoutFiles.arranged(
                    openTensorArchive(pipeline + "/vae"), vae.blackForestKeyMappings, prefix: "vae.")
            }
            let models = ModelFile.models(in: try openTensorArchive(path))
            #expect(models.map(\.part) == [.transformer, .vae, .textEncoder2])
            #expect(models.map(\.prefix) == ["model.diffusion_model.", "vae.", "text_encoders.t5xxl.transformer."])
            let found = try ModelFile.open(path, .textEncoder2).loadT5()
            #expect(try found.configuration == T5Configuration(path: pipeline + "/text_encoder_2/config.json"))
        }
    }
}
