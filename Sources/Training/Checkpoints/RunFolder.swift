import Foundation
import TensorIO

/// The folder of a run: its configuration, its metric log and its checkpoints.
public struct RunFolder: Sendable, Hashable {
    /// The folder, as the user spelled it.
    public let path: String

    /// Names a folder, which need not exist yet.
    public init(_ path: String) {
        self.path = path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
    }

    /// Where checkpoints lie.
    public var checkpoints: String { path + "/checkpoints" }
    /// The resolved configuration.
    public var configurationPath: String { path + "/config.yaml" }
    /// The metric log of the given name.
    public func metricsPath(_ name: String) -> String { "\(path)/\(name)" }

    /// The file of a step's checkpoint.
    public func checkpointPath(step: Int) -> String {
        "\(checkpoints)/step-\(zeroPadded(step, digits: 8)).h5"
    }

    /// Every checkpoint, earliest first; none when the folder does not exist.
    public func checkpointSteps() -> [Int] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: checkpoints)) ?? []
        return names.compactMap { name in
            guard name.hasPrefix("step-"), name.hasSuffix(".h5") else { return nil }
            return Int(name.dropFirst(5).dropLast(3))
        }.sorted()
    }

    /// Whether `checkpoint` is a file of this run.
    func holds(_ checkpoint: String) -> Bool {
        func resolved(_ path: String) -> String { URL(filePath: path).resolvingSymlinksInPath().path }
        return resolved((checkpoint as NSString).deletingLastPathComponent) == resolved(checkpoints)
    }

    /// Throws `FileError` when beginning a run here would destroy something: a run with checkpoints, or a
    /// `config.yaml` that no run has written; unless it is the `configuration` itself, which stays as it is.
    func requireNoRun(besides configuration: String? = nil) throws {
        if let step = checkpointSteps().last {
            throw FileError(
                path, expected: "a folder without a run (or --resume to continue it)",
                found: "a checkpoint of step \(step)")
        }
        let files = FileManager.default
        let isItself = configuration.map { FileIdentity($0) == FileIdentity(configurationPath) } ?? false
        if files.fileExists(atPath: configurationPath), !files.fileExists(atPath: checkpoints), !isItself {
            throw FileError(
                path, expected: "a folder for the run alone, since its config.yaml is written there",
                found: "a config.yaml of another origin")
        }
    }

    /// Takes the folder, which is made when it is missing, for this process; a process that ends in any way gives it back.
    /// Throws `FileError` when another one trains there.
    func lock() throws(FileError) -> FolderLock {
        try FolderLock(path, expected: "a run that no other process trains", found: "one in training")
    }

    /// Removes what killed processes left half-written.
    func sweep() {
        AtomicFile.sweep(checkpoints) { $0.hasPrefix("step-") }
        AtomicFile.sweep(path) { _ in true }
    }

    /// Deletes all but the latest `count` checkpoints; 0 keeps all.
    public func prune(keeping count: Int) {
        guard count > 0 else { return }
        remove(checkpointSteps().dropLast(count))
    }

    /// Deletes the checkpoints of these steps.
    func remove(_ steps: some Sequence<Int>) {
        for step in steps { try? FileManager.default.removeItem(atPath: checkpointPath(step: step)) }
    }

    /// The run that a checkpoint's file lies in, in `RUN/checkpoints`; nil for one that lies elsewhere.
    init?(holding checkpoint: String) {
        let folder = (checkpoint as NSString).deletingLastPathComponent
        guard (folder as NSString).lastPathComponent == "checkpoints" else { return nil }
        let run = (folder as NSString).deletingLastPathComponent
        self.init(run.isEmpty ? "." : run)
    }

    /// The checkpoint that `path` means: the file itself, or the latest one of a run's folder. Throws `FileError` when
    /// there is none.
    public static func checkpoint(at path: String) throws -> String {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
            throw FileError(path, expected: "a run's folder or a checkpoint", found: "no such file")
        }
        if !isFolder.boolValue { return path }
        let run = RunFolder(path)
        guard let last = run.checkpointSteps().last else {
            throw FileError(
                path, expected: "a run's folder with checkpoints/step-….h5", found: "a folder without checkpoints")
        }
        return run.checkpointPath(step: last)
    }

    /// The latest checkpoint of the same run that is earlier than the one at `path`; nil where there is none.
    static func checkpoint(before path: String) -> String? {
        let folder = (path as NSString).deletingLastPathComponent as NSString
        guard folder.lastPathComponent == "checkpoints" else { return nil }
        let run = RunFolder(folder.deletingLastPathComponent)
        let steps = run.checkpointSteps()
        guard
            let place = steps.firstIndex(where: {
                URL(filePath: run.checkpointPath(step: $0)).standardized.path
                    == URL(filePath: path).standardized.path
            }), place > 0
        else { return nil }
        return run.checkpointPath(step: steps[place - 1])
    }
}
