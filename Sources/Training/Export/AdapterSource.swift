public import Adapters
public import InContextEdit
public import Logging
import Models
public import TensorIO

/// Where an adapter comes from, and its strength: a `.safetensors` file in any format that is read, a checkpoint, or a run's
/// folder.
///
/// ```swift
/// let pipeline = try EditPipeline(path: "FLUX.1-Fill-dev")
/// let style = try AdapterSource("style.safetensors", strength: 0.8).load(into: pipeline)
/// let editor = Editor(pipeline, adapters: [style])
/// ```
public struct AdapterSource: Sendable, Equatable {
    /// The file or folder.
    public let path: String
    /// The factor on what the adapter adds: 1 as trained, 0 for the base alone.
    public let strength: Float

    /// Names an adapter and its strength. Nothing is read yet.
    public init(_ path: String, strength: Float = 1) {
        self.path = path
        self.strength = strength
    }

    /// Puts the adapter into the transformer of `pipeline`, beside those that are there. What of its file is not used is
    /// logged.
    ///
    /// Throws `FileError` for a file that cannot be read or fits no layer of the transformer.
    public func load(into pipeline: EditPipeline, logger: Logger = .diptych) throws -> AdapterSet {
        let set = try read(into: pipeline)
        set.strength = strength
        for notice in set.notices { logger.note(notice) }
        return set
    }

    /// Puts several adapters into the transformer of `pipeline`, beside each other; throws as ``load(into:logger:)`` does.
    public static func load(
        _ sources: [AdapterSource], into pipeline: EditPipeline, logger: Logger = .diptych
    ) throws -> [AdapterSet] {
        try sources.map { try $0.load(into: pipeline, logger: logger) }
    }

    private func read(into pipeline: EditPipeline) throws -> AdapterSet {
        let transformer = pipeline.transformer
        let width = transformer.configuration.pooledProjectionDim
        if let file = safetensorsFile {
            return try AdapterSet(
                loading: SafetensorsFile(path: file), into: transformer, naming: .flux(transformer.configuration),
                pooledWidth: width, besideOthers: true)
        }
        let file = try RunFolder.checkpoint(at: path)
        let checkpoint = try RunCheckpoint(path: file)
        let configuration = try RunConfiguration.parse(checkpoint.configuration, file: file)
        let adapters = try AdapterSet(
            injecting: configuration.adapterConfiguration, into: transformer, pooledWidth: width, seed: 0,
            besideOthers: true)
        try adapters.restoreParameters(from: checkpoint.parameters)
        adapters.path = path
        return adapters
    }

    /// What is known of the making of the adapter. Throws `FileError` for a file that cannot be read.
    public func metadata() throws -> ExportMetadata {
        if let file = safetensorsFile { return ExportMetadata(try SafetensorsFile(path: file).metadata) }
        let file = try RunFolder.checkpoint(at: path)
        let checkpoint = try RunCheckpoint(path: file)
        return ExportMetadata(try RunConfiguration.parse(checkpoint.configuration, file: file), checkpoint)
    }

    /// How the diptychs lay that the adapter was trained on; nil where a file does not say. Throws `FileError` for a file
    /// that cannot be read, or that says a word which means nothing.
    public func panelLayout() throws -> PanelLayoutChoice? {
        guard let file = safetensorsFile else {
            let file = try RunFolder.checkpoint(at: path)
            return try RunConfiguration.parse(RunCheckpoint.configuration(path: file), file: file).trainedPanelLayout
        }
        guard let word = try SafetensorsFile(path: file).metadata[ExportMetadata.panelLayoutKey] else { return nil }
        guard let choice = PanelLayoutChoice(rawValue: word) else {
            throw FileError(
                file, key: ExportMetadata.panelLayoutKey, expected: "beside, stacked or auto", found: "'\(word)'")
        }
        return choice
    }

    /// The panel layout that a user asked for; else that of the adapters, the first that says one; else upstream's, beside.
    /// Logs when it is not upstream's, and when two adapters say different ones. Throws as ``panelLayout()`` does.
    public static func panelLayout(
        _ asked: PanelLayoutChoice?, _ sources: [AdapterSource], logger: Logger = .diptych
    ) throws -> PanelLayoutChoice {
        if let asked { return asked }
        let trained = try sources.compactMap { try $0.panelLayout() }
        if let other = trained.first(where: { $0 != trained[0] }) {
            logger.note(
                "one adapter was trained with --panel-layout \(trained[0]), another with \(other): taking the first's")
        } else if let choice = trained.first, choice != .beside {
            logger.note("--panel-layout \(choice), as the adapter was trained")
        }
        return trained.first ?? .beside
    }

    /// The safetensors file that the path means: itself, or the one that PEFT keeps in a folder; nil for a checkpoint or a
    /// run.
    public var safetensorsFile: String? { Self.safetensorsFile(path) }

    /// The same for any path.
    static func safetensorsFile(_ path: String) -> String? {
        if path.hasSuffix(".safetensors") { return path }
        let inside = path + "/adapter_model.safetensors"
        return FileIdentity(inside) != nil ? inside : nil
    }
}
