import Foundation
import TensorIO

/// The places that a FLUX pipeline is put together from: a folder, and files that take the place of its models.
///
/// ```swift
/// var parts = PipelineParts(folder: "FLUX.1-Fill-dev")
/// parts.transformer = "flux1-fill-dev-Q4_0.gguf"
/// let transformer = try parts.loadTransformer()
/// ```
///
/// The folder is a pipeline in diffusers' layout. Where all four models are named it need hold no more than the
/// tokenizers, in `tokenizer` and `tokenizer_2`; T5's comes from its GGUF file where the folder has none. A model's place
/// is a safetensors or GGUF file in any key naming that ``ModelFile`` knows, a folder with `config.json`, a folder with such
/// a file, or a whole pipeline folder.
public struct PipelineParts: Hashable, Sendable {
    /// The pipeline's folder, or that of the tokenizers.
    public var folder: String
    /// Where the transformer lies, if not in the folder.
    public var transformer: String?
    /// Where the image autoencoder lies, if not in the folder.
    public var vae: String?
    /// Where the CLIP text encoder lies, if not in the folder.
    public var clip: String?
    /// Where the T5 text encoder lies, if not in the folder.
    public var t5: String?

    /// The pipeline of a folder, with files in the place of its models.
    public init(
        folder: String, transformer: String? = nil, vae: String? = nil, clip: String? = nil, t5: String? = nil
    ) {
        self.folder = folder
        self.transformer = transformer
        self.vae = vae
        self.clip = clip
        self.t5 = t5
    }

    /// Whether every model is named, so that the folder needs no index.
    public var namesAllModels: Bool { transformer != nil && vae != nil && clip != nil && t5 != nil }

    /// Loads the transformer. Throws `FileError` or `WeightError`.
    public func loadTransformer() throws -> FluxTransformer {
        try load(.transformer, at: transformer, folder: FluxTransformer.load(folder:)) { try $0.loadTransformer() }
    }

    /// Loads the image autoencoder. Throws `FileError` or `WeightError`.
    public func loadVAE() throws -> AutoencoderKL {
        try load(.vae, at: vae, folder: AutoencoderKL.load(folder:)) { try $0.loadVAE() }
    }

    /// Loads both text encoders and their tokenizers. Throws `FileError` or `WeightError`.
    public func loadTextEncoders() throws -> TextEncoders {
        let tokenizers = try loadTokenizers()
        return try TextEncoders(
            path: folder, clipTokenizer: tokenizers.clip,
            clip: load(.textEncoder, at: clip, folder: CLIPTextEncoder.load(folder:)) { try $0.loadCLIP() },
            t5Tokenizer: tokenizers.t5,
            t5: load(.textEncoder2, at: t5, folder: T5Encoder.load(folder:)) { try $0.loadT5() })
    }

    /// The folder's scheduler, or FLUX.1's where the folder has none.
    public func loadScheduler() throws -> SchedulerConfiguration {
        let path = "\(folder)/\(PipelineFolder.Part.scheduler)/scheduler_config.json"
        return FileManager.default.fileExists(atPath: path) ? try SchedulerConfiguration(path: path) : .flux
    }

    // MARK: Places

    /// The file or folder that a part is read from.
    public func place(of part: PipelineFolder.Part) -> String {
        let named: String? =
            switch part {
            case .transformer: transformer
            case .vae: vae
            case .textEncoder: clip
            case .textEncoder2: t5
            case .tokenizer, .tokenizer2, .scheduler: nil
            }
        guard let named else { return "\(folder)/\(part)" }
        return FileManager.default.fileExists(atPath: named + "/model_index.json") ? "\(named)/\(part)" : named
    }

    private func load<Model>(
        _ part: PipelineFolder.Part, at place: String?, folder load: (String) throws -> Model,
        file: (ModelFile) throws -> Model
    ) throws -> Model {
        guard let place else { return try load(PipelineFolder(path: folder).folder(of: part)) }
        let manager = FileManager.default
        if manager.fileExists(atPath: place + "/model_index.json") {
            return try load(PipelineFolder(path: place).folder(of: part))
        }
        if manager.fileExists(atPath: place + "/config.json") { return try load(place) }
        return try file(ModelFile.open(place, part))
    }

    func tokenizerFolder(_ part: PipelineFolder.Part) throws -> String {
        let path = "\(folder)/\(part)"
        guard FileManager.default.fileExists(atPath: path) else {
            throw FileError(
                folder, key: part.rawValue,
                expected: "the folder of \(part.title): a pipeline folder, or one with 'tokenizer' and 'tokenizer_2'",
                found: "nothing of that name")
        }
        return path
    }

    func loadT5Tokenizer() throws -> T5Tokenizer {
        let part = PipelineFolder.Part.tokenizer2
        if !FileManager.default.fileExists(atPath: "\(folder)/\(part)"), let t5, try Self.isFile(t5),
            try GGUFFile.isGGUF(t5)
        {
            return try T5Tokenizer(GGUFFile(path: t5))
        }
        return try T5Tokenizer(folder: tokenizerFolder(part))
    }

    private static func isFile(_ path: String) throws -> Bool {
        var isFolder: ObjCBool = false
        return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) && !isFolder.boolValue
    }
}

extension SchedulerConfiguration {
    /// That of FLUX.1 [dev] and [Fill]: the shift grows with the picture.
    public static let flux: SchedulerConfiguration = {
        var configuration = SchedulerConfiguration()
        configuration.shift = 3
        configuration.useDynamicShifting = true
        return configuration
    }()
}
