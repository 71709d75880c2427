import Foundation
import TensorIO

/// Which run is asked for: a configuration, a run's folder or a checkpoint, and whether to go on or to begin.
public struct RunRequest: Sendable {
    /// Whether a run that is there goes on.
    public enum Continuation: Sendable {
        /// The run must be new.
        case never
        /// There must be a checkpoint.
        case always
        /// Go on where there is a checkpoint, begin where there is none.
        case ifThere
    }

    /// A YAML configuration, a run's folder, or a checkpoint.
    public var source: String
    /// `key=value` for keys of the configuration.
    public var overrides: [String]
    /// Whether a run that is there goes on.
    public var continuation: Continuation
    /// Whether nothing is to be written: no folder is made or taken, so that the run may be in training.
    public var isDryRun: Bool

    /// Asks for a run.
    public init(
        _ source: String, overrides: [String] = [], continuation: Continuation = .never, isDryRun: Bool = false
    ) {
        self.source = source
        self.overrides = overrides
        self.continuation = continuation
        self.isDryRun = isDryRun
    }

    /// Whether a path names a configuration.
    public static func isConfiguration(_ path: String) -> Bool { path.hasSuffix(".yaml") || path.hasSuffix(".yml") }

    /// Where the configuration and the checkpoint come from.
    struct Origin {
        /// The folder that the checkpoint lies in; nil where the configuration names it.
        var folder: RunFolder?
        /// The checkpoint that was named.
        var checkpoint: String?
        /// The file that the configuration is read from; nil where only a checkpoint has it.
        var configurationPath: String?
    }

    /// Sorts the source. Throws `FileError` where there is nothing to go on from.
    func origin() throws -> Origin {
        if Self.isConfiguration(source) {
            // The configuration of a run that was renamed still has its old name.
            let parent = (source as NSString).deletingLastPathComponent
            let run = RunFolder(parent.isEmpty ? "." : parent)
            let isOfRun = (source as NSString).lastPathComponent == "config.yaml" && !run.checkpointSteps().isEmpty
            return Origin(
                folder: continuation != .never && isOfRun ? run : nil, checkpoint: nil, configurationPath: source)
        }
        let manager = FileManager.default
        if FileIdentity(source)?.isFolder == true {
            let run = RunFolder(source)
            let hasConfiguration = manager.fileExists(atPath: run.configurationPath)
            // Says what is missing, before the folder is touched.
            if continuation != .ifThere || !hasConfiguration { _ = try RunFolder.checkpoint(at: source) }
            return Origin(
                folder: run, checkpoint: nil, configurationPath: hasConfiguration ? run.configurationPath : nil)
        }
        let path = try RunFolder.checkpoint(at: source)
        let run = RunFolder(holding: path)
        let configuration = run.map(\.configurationPath).flatMap { manager.fileExists(atPath: $0) ? $0 : nil }
        return Origin(folder: run, checkpoint: path, configurationPath: configuration)
    }

    /// Whether the command line says where the run goes.
    var namesFolder: Bool { overrides.contains { $0.hasPrefix("output.folder=") } }

    /// The configuration of an origin, with the overrides.
    func configuration<Settings: RunSettings>(
        _ settings: Settings.Type, _ origin: Origin, notice: (String) -> Void = { _ in }
    ) throws -> Settings {
        if let path = origin.configurationPath {
            return try Settings.load(path, overrides: overrides, notice: notice)
        }
        let checkpoint = try origin.checkpoint ?? RunFolder.checkpoint(at: origin.folder?.path ?? source)
        return try Settings.parse(
            RunCheckpoint.configuration(path: checkpoint), file: checkpoint, overrides: overrides)
    }
}
