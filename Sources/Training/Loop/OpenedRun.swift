import Foundation
import TensorIO

/// What a training session begins with: the run's folder, taken for this process, its configuration, and the state that it
/// goes on from.
///
/// A run is what lies in the folder that was named, whatever it was called before. Its folder is taken first and all else is
/// read after that, so that two processes never go on from one state.
public struct OpenedRun<Settings: RunSettings> {
    /// The configuration, whose `output.folder` is the folder.
    public let configuration: Settings
    /// The file that the configuration was read from, for errors.
    public let source: String
    /// Where everything is written.
    public let folder: RunFolder
    /// The checkpoint that the run goes on from; nil for one that begins.
    public let checkpoint: String?
    /// What that checkpoint holds.
    public let state: RunCheckpoint?
    /// The keys that have changed since the checkpoint.
    public let changes: [ConfigurationChange]
    /// What the user should know.
    public let notices: [String]
    /// Nothing for a dry run, which writes nothing.
    let lock: FolderLock?

    /// Whether all steps are done.
    public var isFinished: Bool { state.map { $0.step >= configuration.training.steps } ?? false }

    /// Opens the run that is asked for.
    ///
    /// Throws ``ConfigurationError`` for faults of the configuration and for keys that may not change on resuming,
    /// `FileError` when another process has the folder, when there is nothing to go on from, or when beginning would
    /// destroy a run.
    public init(_ request: RunRequest, of settings: Settings.Type) throws {
        let origin = try request.origin()
        // Only to know the folder: what counts is read when that is taken.
        let first = try request.configuration(Settings.self, origin)
        let folder = (request.namesFolder ? nil : origin.folder) ?? RunFolder(first.output.folder)
        if origin.checkpoint == nil {
            // What cannot begin or go on makes no folder.
            let run = origin.folder ?? folder
            if request.continuation == .always { _ = try RunFolder.checkpoint(at: run.path) }
            if request.continuation == .never || run.checkpointSteps().isEmpty {
                try first.validateFiles(source: origin.configurationPath ?? request.source)
            }
        }
        let lock = try request.isDryRun ? nil : folder.lock()
        var renamed: [String] = []
        var configuration = try request.configuration(Settings.self, origin) { renamed.append($0) }
        configuration.output.folder = folder.path
        var checkpoint = origin.checkpoint
        if checkpoint == nil, request.continuation != .never {
            let run = origin.folder ?? folder
            checkpoint = run.checkpointSteps().last.map(run.checkpointPath)
            if checkpoint == nil, request.continuation == .always {
                checkpoint = try RunFolder.checkpoint(at: run.path)
            }
        }
        try self.init(
            configuration, from: origin.configurationPath, folder, lock, resuming: checkpoint,
            isDryRun: request.isDryRun, notices: renamed)
    }

    /// Opens the run of a configuration, or goes on with it from the checkpoint file `checkpoint`.
    public init(_ configuration: Settings, resuming checkpoint: String? = nil) throws {
        let folder = RunFolder(configuration.output.folder)
        try self.init(
            configuration, from: nil, folder, folder.lock(), resuming: checkpoint, isDryRun: false, notices: [])
    }

    private init(
        _ configuration: Settings, from path: String?, _ folder: RunFolder, _ lock: FolderLock?,
        resuming checkpoint: String?, isDryRun: Bool, notices known: [String]
    ) throws {
        let continues = checkpoint.map(folder.holds) ?? false
        if !continues, !isDryRun { try folder.requireNoRun(besides: path) }
        let state = try checkpoint.map { try RunCheckpoint(path: $0) }
        self.configuration = configuration
        self.folder = folder
        self.checkpoint = checkpoint
        self.state = state
        self.lock = lock
        source = path ?? checkpoint ?? "configuration"
        guard let state, let checkpoint else {
            (changes, notices) = ([], known)
            return
        }
        let earlier = try Settings.parse(state.configuration, file: checkpoint)
        changes = configuration.changes(from: earlier).filter { $0.key != "output.folder" }
        try Settings.requireChangeable(changes, configuration, earlier, source: source)
        var notices = known
        if state.fingerprints == nil {
            notices.append(
                "\(checkpoint): a checkpoint of version 1, which has no checksums; its base and its pairs are known by "
                    + "their numbers alone")
        }
        notices += Self.overruled(configuration, earlier, folder, path)
        self.notices = notices
    }

    /// What the folder's own configuration was changed to, where another file is the one that counts.
    private static func overruled(
        _ configuration: Settings, _ earlier: Settings, _ folder: RunFolder, _ path: String?
    ) -> [String] {
        guard let path, FileIdentity(path) != FileIdentity(folder.configurationPath),
            let own = try? Settings.load(folder.configurationPath)
        else { return [] }
        let edited = Set(own.changes(from: earlier).map(\.key))
        return configuration.changes(from: own).filter { edited.contains($0.key) && $0.key != "output.folder" }.map {
            "\(folder.configurationPath): \($0.key) is \($0.before) there and \($0.now) in \(path), which counts "
                + "(diptych train \(folder.path) --resume goes by the first)"
        }
    }

    /// Puts into the metric log what only the checkpoint has: for a finished run, which opens no session.
    public func completeMetrics() throws {
        guard let state, !state.metrics.isEmpty, lock != nil else { return }
        let log = try MetricLog(
            folder.metricsPath(configuration.output.metrics), resumingAfter: state.step, missing: state.metrics)
        _ = log.unsaved()
    }
}

extension OpenedRun where Settings == RunConfiguration {
    /// Opens the run of adapters that is asked for; see ``init(_:of:)``.
    public init(_ request: RunRequest) throws { try self.init(request, of: RunConfiguration.self) }
}
