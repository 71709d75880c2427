import Foundation
public import NeuralNet
public import TensorIO

/// A model that was found in a file by the names of its tensors, whatever the file is called.
///
/// ```swift
/// let file = try ModelFile.open("flux1-fill-dev-Q4_0.gguf", .transformer)
/// let transformer = try file.loadTransformer()
/// ```
public struct ModelFile {
    /// Who named the tensors.
    public enum KeyNaming: String, Sendable, CustomStringConvertible {
        /// diffusers, a folder's or a single file's.
        case diffusers
        /// transformers: the names of the published text encoders, which ComfyUI's single files have too.
        case transformers
        /// Black Forest Labs, ComfyUI and GGUF files of FLUX.
        case blackForest = "BFL"
        /// llama.cpp: GGUF files of T5.
        case llama = "llama.cpp"

        /// The key naming's usual name.
        public var description: String { rawValue }
    }

    /// What the model is, as the part of a pipeline that it can take the place of.
    public let part: PipelineFolder.Part
    /// Who named its tensors.
    public let keyNaming: KeyNaming
    /// What stands before each of its names: `model.diffusion_model.`, for example.
    public let prefix: String
    /// The model's tensors under the file's own names, without the prefix.
    public let archive: any TensorArchive

    /// The file's path.
    public var path: String { archive.path }

    /// A name that each key naming of each model has, and only it.
    private static let signatures: [(part: PipelineFolder.Part, keyNaming: KeyNaming, name: String)] = [
        (.transformer, .blackForest, "double_blocks.0.img_attn.qkv.weight"),
        (.transformer, .blackForest, "single_blocks.0.linear1.weight"),
        (.transformer, .diffusers, "x_embedder.weight"),
        (.vae, .blackForest, "decoder.mid.block_1.conv1.weight"),
        (.vae, .diffusers, "decoder.mid_block.resnets.0.conv1.weight"),
        (.textEncoder, .transformers, "embeddings.token_embedding.weight"),
        (.textEncoder2, .transformers, "encoder.block.0.layer.0.SelfAttention.q.weight"),
        (.textEncoder2, .llama, "enc.blk.0.attn_q.weight"),
    ]

    /// The most models that are looked for in a file: a hostile one may have the mark of a model in every name.
    private static let mostModels = 16

    /// All models in an archive: one of most files, several of ComfyUI's whole checkpoints, none of other files.
    public static func models(in archive: any TensorArchive) -> [ModelFile] {
        var found: [ModelFile] = []
        for (part, keyNaming, signature) in signatures {
            for name in archive.names where name.hasSuffix(signature) {
                var prefix = String(name.dropLast(signature.count))
                // The encoder itself reads names with it and without.
                if part == .textEncoder, prefix.hasSuffix("text_model.") { prefix.removeLast("text_model.".count) }
                guard prefix.isEmpty || prefix.hasSuffix(".") else { continue }
                guard found.count < mostModels else { return found }
                if found.contains(where: { $0.part == part && $0.keyNaming == keyNaming && $0.prefix == prefix }) {
                    continue
                }
                found.append(
                    ModelFile(
                        part: part, keyNaming: keyNaming, prefix: prefix,
                        archive: prefix.isEmpty ? archive : PrefixedArchive(archive, prefix: prefix)))
            }
        }
        return found
    }

    /// Opens a file, or a folder with one, and finds the model that can be `part`.
    ///
    /// Throws `FileError` when the file is malformed and when it holds another model, which the error names, or two.
    public static func open(_ path: String, _ part: PipelineFolder.Part) throws -> ModelFile {
        let archive = try openTensorArchive(path)
        let models = models(in: archive)
        let fitting = models.filter { $0.part == part }
        guard let model = fitting.first else {
            let found = models.map(\.summary).joined(separator: ", ")
            throw FileError(
                path, expected: "the tensors of \(part.title)",
                found: found.isEmpty ? "\(archive.names.count) tensors of no model that is known" : found)
        }
        guard fitting.count == 1 else {
            throw FileError(
                path, expected: "one model that is \(part.title)",
                found: "several, at " + fitting.map { "'\(printable($0.prefix))'" }.joined(separator: ", "))
        }
        return model
    }

    /// What was found, in a few words.
    public var summary: String {
        "\(part.title) with names as in \(keyNaming)" + (prefix.isEmpty ? "" : " behind '\(printable(prefix))'")
    }

    // MARK: Loading

    /// The model's proportions, as `config.json` has them: from the file's metadata (`diptych.config`) where it has them,
    /// from a `config.json` beside a file of diffusers or transformers, else told from the tensors' shapes.
    public func configuration() throws -> ConfigurationFile {
        if prefix.isEmpty {
            if let text = archive.metadataText(Self.configurationKey) {
                return try ConfigurationFile(path: path, text: text)
            }
            let beside = URL(filePath: path).deletingLastPathComponent().appending(path: "config.json").path
            if keyNaming == .diffusers || keyNaming == .transformers, FileManager.default.fileExists(atPath: beside) {
                return try ConfigurationFile(path: beside)
            }
        }
        let fields = try ModelShapes(archive, keyNaming: keyNaming).fields(of: part)
        return ConfigurationFile(path: path, fields: fields)
    }

    /// Where a file's metadata has the text of the model's `config.json`.
    public static let configurationKey = "diptych.config"

    /// How the file keeps the model's tensors; nil where it has the model's own names.
    public func keyMappings(_ configuration: ConfigurationFile) throws -> [KeyMapping]? {
        switch (part, keyNaming) {
        case (.transformer, .blackForest): try FluxConfiguration(configuration).blackForestKeyMappings
        case (.vae, .blackForest): try AutoencoderKLConfiguration(configuration).blackForestKeyMappings
        case (.textEncoder2, .llama): try T5Configuration(configuration).llamaKeyMappings
        default: nil
        }
    }

    /// The tensors under the names that the model's constructor asks for. Throws `WeightError`, in the file's own names,
    /// when they are not those of a model of these proportions.
    public func modelArchive(_ configuration: ConfigurationFile) throws -> any TensorArchive {
        if let keyMappings = try keyMappings(configuration) {
            return try KeyMappedArchive(archive, keyMappings) {
                part == .textEncoder2 && T5Configuration.isDecoderTensor($0)
            }
        }
        switch part {
        case .textEncoder:
            return FilteredArchive(archive, dropping: ["vision_model.", "visual_projection.", "logit_scale"])
        case .textEncoder2: return FilteredArchive(archive, dropping: ["decoder.", "lm_head."])
        default: return archive
        }
    }

    /// Checks that the model's tensors are all there, of the right shapes, and no others, without reading them.
    ///
    /// Throws `FileError` where the proportions cannot be told, `WeightError` with all tensors that do not fit. A CLIP
    /// encoder's tensors are checked when it is loaded.
    public func check(_ configuration: ConfigurationFile) throws {
        let archive = try modelArchive(configuration)
        switch (part, keyNaming) {
        case (.transformer, .diffusers):
            try check(archive, FluxConfiguration(configuration).blackForestKeyMappings)
        case (.vae, .diffusers): try check(archive, AutoencoderKLConfiguration(configuration).blackForestKeyMappings)
        case (.textEncoder2, .transformers):
            let table = tokenTable(archive)
            try check(archive, T5Configuration(configuration).llamaKeyMappings(tokenTable: table)) {
                T5Configuration.tokenTables.contains($0)
            }
        default: break
        }
    }

    private func check(
        _ archive: any TensorArchive, _ keyMappings: [KeyMapping],
        ignoring isIgnored: (String) -> Bool = { _ in false }
    ) throws {
        let parts = keyMappings.flatMap(\.parts).map { KeyMapping($0.name, $0.name, $0.shape) }
        _ = try KeyMappedArchive(archive, parts, ignoring: isIgnored)
    }

    /// The name of T5's table of token vectors in an archive with transformers' names.
    func tokenTable(_ archive: any TensorArchive) -> String {
        T5Configuration.tokenTables.first { archive.info($0) != nil } ?? T5Configuration.tokenTables[0]
    }

    /// Loads the transformer; throws `FileError` or `WeightError`.
    public func loadTransformer() throws -> FluxTransformer {
        let file = try configuration()
        return try FluxTransformer.load(modelArchive(file), configuration: FluxConfiguration(file))
    }

    /// Loads the image autoencoder; throws `FileError` or `WeightError`.
    public func loadVAE() throws -> AutoencoderKL {
        let file = try configuration()
        return try AutoencoderKL.load(modelArchive(file), configuration: AutoencoderKLConfiguration(file))
    }

    /// Loads the CLIP text encoder; throws `FileError` or `WeightError`.
    public func loadCLIP() throws -> CLIPTextEncoder {
        let file = try configuration()
        return try CLIPTextEncoder.load(modelArchive(file), configuration: CLIPTextConfiguration(file))
    }

    /// Loads the T5 text encoder; throws `FileError` or `WeightError`.
    public func loadT5() throws -> T5Encoder {
        let file = try configuration()
        return try T5Encoder.load(modelArchive(file), configuration: T5Configuration(file))
    }
}

extension PipelineFolder.Part {
    /// What the part is, with its article.
    public var title: String {
        switch self {
        case .transformer: "a FLUX transformer"
        case .vae: "an image autoencoder"
        case .textEncoder: "a CLIP text encoder"
        case .textEncoder2: "a T5 text encoder"
        case .tokenizer: "CLIP's tokenizer"
        case .tokenizer2: "T5's tokenizer"
        case .scheduler: "a scheduler's settings"
        }
    }
}
