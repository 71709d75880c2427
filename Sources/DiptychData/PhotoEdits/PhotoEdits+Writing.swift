import Foundation
import InContextEdit
import Synchronization
public import TensorCore
import TensorIO

extension PhotoEdits {
    /// Writes a dataset: `source/000000.jpg` …, `target/000000.jpg` … and, when all of them lie on the disk,
    /// `metadata.jsonl`, without which a folder is no dataset; and finishes one that was interrupted.
    ///
    /// `folder` must be new, empty, or hold what the same options and photographs began, unless `overwrites`, which removes
    /// the list and the numbered panels of an earlier dataset and nothing else. Calls of `progress`
    /// never overlap, but come from several threads. Throws ``FolderInUse`` before anything is touched, `FileError` for what the file system refuses, and what ``pair(at:)``
    /// throws.
    public func write(
        to folder: String, overwrites: Bool = false,
        progress: @Sendable (WorkProgress) -> Void = { _ in }
    ) throws {
        let root = URL(filePath: folder, directoryHint: .isDirectory)
        let lock = try ShardWriting.lock(root.relativePath)
        defer { withExtendedLifetime(lock) {} }
        let manifest = try Manifest(options: options, photos: photos.fingerprint())
        let known = try prepare(root, manifest, overwrites: overwrites)
        let journal = try PhotoEditsJournal(appendingTo: root.appending(path: PhotoEditsJournal.name).relativePath)
        struct State {
            var records: [PairRecord?]
            var progress: WorkProgress
            var fault: (index: Int, error: any Error)?
        }
        let found = known.count
        let begun = WorkProgress("pairs", done: found, total: options.count, found: found)
        let state = Mutex(State(records: (0..<options.count).map { known[$0] }, progress: begun))
        if found > 0 { progress(begun) }
        parallelFor(options.count, grain: 1) { range in
            for i in range {
                if known[i] != nil { continue }
                if state.withLock({ $0.fault != nil }) { return }
                do {
                    let record = try write(pair(at: i), i, to: root)
                    try state.withLock { state in
                        try journal.append(record)
                        state.records[i] = record
                        state.progress.done += 1
                        progress(state.progress)
                    }
                } catch {
                    state.withLock { state in
                        // Of several faults the first by number, as far as they are known.
                        if i < state.fault?.index ?? .max { state.fault = (i, error) }
                    }
                }
            }
        }
        let (records, fault) = state.withLock { ($0.records, $0.fault) }
        if let fault { throw fault.error }
        if found < options.count || !isThere(PairDataset.metadataName, root) {
            try PairDataset.write(records.compactMap { $0 }, to: root)
        }
        try finish(root, manifest)
    }

    private func write(_ pair: Pair, _ index: Int, to root: URL) throws -> PairRecord {
        let name = Self.panelName(index, options.format)
        let record = PairRecord(
            source: "source/\(name)", target: "target/\(name)", fields: pair.fields, task: pair.edit.task.rawValue)
        try pair.source.write(to: root.appending(path: record.source).path)
        try pair.target.write(to: root.appending(path: record.target).path)
        return record
    }

    private static func panelName(_ index: Int, _ format: PanelFormat) -> String {
        "\(zeroPadded(index, digits: 6)).\(format.rawValue)"
    }

    // MARK: What is there

    /// What a folder was made with; whoever finds it can finish what was interrupted.
    struct Manifest: Codable, Equatable {
        var options: Options
        /// The names and contents of the photographs.
        var photos: String
    }

    static let manifestName = "photo-edits.json"

    private func isThere(_ name: String, _ root: URL) -> Bool {
        FileManager.default.fileExists(atPath: root.appending(path: name).path)
    }

    /// Makes the folders, or finds there what the same options began: the records of the pairs whose panels are whole. With
    /// `overwrites` removes an earlier dataset, its list first, so that what is left of it at any moment looks like no
    /// dataset.
    private func prepare(_ root: URL, _ manifest: Manifest, overwrites: Bool) throws -> [Int: PairRecord] {
        let panels = ["source", "target"].map { root.appending(path: $0, directoryHint: .isDirectory) }
        for panel in panels {
            if let found = FileIdentity(panel.path), found == FileIdentity(photos.folder.path) {
                throw FileError(
                    root.relativePath, expected: "another folder than the photographs'", found: panel.relativePath)
            }
            AtomicFile.sweep(panel.path, where: Self.isPanelName)
        }
        let own = [
            PairDataset.metadataName, ShardWriting.unfinishedName, Self.manifestName, PhotoEditsJournal.name,
        ]
        AtomicFile.sweep(root.path, where: own.contains)
        let names = try ShardWriting.names(in: root)
        let isUnfinished = names.contains(ShardWriting.unfinishedName)
        let earlier = try? JSONValue.decoding(
            Manifest.self,
            from: Data(
                contentsOf: root.appending(path: isUnfinished ? ShardWriting.unfinishedName : Self.manifestName)))
        if !overwrites, !names.isEmpty {
            guard earlier == manifest else {
                throw FolderInUse(
                    folder: root.relativePath,
                    found: earlier != nil
                        ? "pairs of other options or photographs (\(Self.manifestName))"
                        : names.count == 1 ? "'\(names[0])'" : "'\(names[0])' and \(names.count - 1) more")
            }
            let list = root.appending(path: isUnfinished ? PhotoEditsJournal.name : PairDataset.metadataName)
            return wholeRecords(PhotoEditsJournal.records(list.path), root)
        }
        if overwrites { try removeEarlier(root, panels, own) }
        for panel in panels { try createFolder(panel.relativePath) }
        try AtomicFile.write(to: root.appending(path: ShardWriting.unfinishedName).relativePath) {
            try $0.write(Self.encoded(manifest))
        }
        return [:]
    }

    /// The records that are of this dataset and whose panels are there.
    private func wholeRecords(_ records: [PairRecord], _ root: URL) -> [Int: PairRecord] {
        var result: [Int: PairRecord] = [:]
        for record in records {
            let name = (record.source as NSString).lastPathComponent
            guard let number = Int(name.prefix { $0 != "." }), (0..<options.count).contains(number),
                record.source == "source/" + Self.panelName(number, options.format),
                record.target == "target/" + Self.panelName(number, options.format),
                isThere(record.source, root), isThere(record.target, root)
            else { continue }
            result[number] = record
        }
        return result
    }

    private func removeEarlier(_ root: URL, _ panels: [URL], _ own: [String]) throws {
        let files = FileManager.default
        let originals = Set(photos.paths.compactMap { FileIdentity($0) })
        var doomed = own.map { root.appending(path: $0) }.filter { files.fileExists(atPath: $0.path) }
        for panel in panels where files.fileExists(atPath: panel.path) {
            doomed += try ShardWriting.names(in: panel).filter(Self.isPanelName).map { panel.appending(path: $0) }
        }
        for file in doomed {
            if let identity = FileIdentity(file.path), originals.contains(identity) {
                throw FileError(
                    root.relativePath, expected: "another folder than the photographs'", found: file.relativePath)
            }
        }
        do {
            for file in doomed { try files.removeItem(at: file) }
        } catch {
            throw FileError(
                root.relativePath, expected: "a folder that can be written", found: error.localizedDescription)
        }
    }

    /// Leaves what the folder was made with, and nothing of the making.
    private func finish(_ root: URL, _ manifest: Manifest) throws {
        if isThere(ShardWriting.unfinishedName, root) || !isThere(Self.manifestName, root) {
            try AtomicFile.write(to: root.appending(path: Self.manifestName).relativePath) {
                try $0.write(Self.encoded(manifest))
            }
        }
        // The journal is worth nothing without the other.
        for name in [ShardWriting.unfinishedName, PhotoEditsJournal.name] where isThere(name, root) {
            try ShardWriting.remove(root.appending(path: name))
        }
    }

    private static func encoded(_ manifest: Manifest) throws -> [UInt8] {
        try JSONValue(encoding: manifest).bytes(.compact.sorted) + [UInt8(ascii: "\n")]
    }

    /// Whether a name is one that ``write(to:overwrites:progress:)`` gives.
    private static func isPanelName(_ name: String) -> Bool {
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 2 && parts[0].utf8.count == 6 && parts[0].allSatisfy { ("0"..."9").contains($0) }
            && PanelFormat(rawValue: String(parts[1])) != nil
    }
}

/// A folder that is to be filled and is not empty.
public struct FolderInUse: Error, CustomStringConvertible, Equatable {
    /// The folder.
    public let folder: String
    /// What lies in it.
    public let found: String

    /// `folder: expected a new or empty folder, found …`
    public var description: String { "\(folder): expected a new or empty folder, found \(found)" }
}
