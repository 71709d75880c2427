import Foundation
import InContextEdit
import Synchronization
import TensorCore
import TensorIO

extension PhotoEdits {
    /// Writes a dataset: `source/000000.jpg` …, `target/000000.jpg` … and, when all of them lie on the disk,
    /// `metadata.jsonl`, without which a folder is no dataset.
    ///
    /// `folder` must be new or empty unless `overwrites`, which removes the list and the numbered panels of an earlier
    /// dataset and nothing else. `progress` is told how many pairs are done, of how many; calls never overlap, but come
    /// from several threads. Throws ``FolderInUse`` before anything is
    /// touched, ``FileError`` for what the file system refuses, and what ``pair(at:)`` throws.
    public func write(
        to folder: String, overwrites: Bool = false,
        progress: @Sendable (_ done: Int, _ total: Int) -> Void = { _, _ in }
    ) throws {
        let root = URL(filePath: folder, directoryHint: .isDirectory)
        try prepare(root, overwrites: overwrites)
        struct State {
            var records: [PairRecord?]
            var done = 0
            var fault: (index: Int, error: any Error)?
        }
        let state = Mutex(State(records: Array(repeating: nil, count: options.count)))
        parallelFor(options.count, grain: 1) { range in
            for i in range {
                if state.withLock({ $0.fault != nil }) { return }
                do {
                    let record = try write(pair(at: i), i, to: root)
                    state.withLock { state in
                        state.records[i] = record
                        state.done += 1
                        progress(state.done, options.count)
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
        try PairDataset.write(records.compactMap { $0 }, to: root)
    }

    private func write(_ pair: Pair, _ index: Int, to root: URL) throws -> PairRecord {
        let digits = String(index)
        let name = String(repeating: "0", count: 6 - digits.count) + digits + "." + options.format.rawValue
        let record = PairRecord(
            source: "source/\(name)", target: "target/\(name)", fields: pair.fields, task: pair.edit.task.rawValue)
        try pair.source.write(to: root.appending(path: record.source).path)
        try pair.target.write(to: root.appending(path: record.target).path)
        return record
    }

    /// Makes the folders; with `overwrites` removes an earlier dataset, its list first, so that what is left of it at
    /// any moment looks like no dataset.
    private func prepare(_ root: URL, overwrites: Bool) throws {
        let files = FileManager.default
        let panels = ["source", "target"].map { root.appending(path: $0, directoryHint: .isDirectory) }
        for panel in panels where panel.resolvingSymlinksInPath().path == photos.folder.resolvingSymlinksInPath().path {
            throw FileError(
                root.relativePath, expected: "another folder than the photographs'", found: panel.relativePath)
        }
        var isFolder: ObjCBool = false
        if files.fileExists(atPath: root.path, isDirectory: &isFolder) {
            guard isFolder.boolValue else {
                throw FileError(root.relativePath, expected: "a folder to write to", found: "a file")
            }
            let entries = try listed(root)
            guard overwrites || entries.isEmpty else {
                let first = entries.sorted()[0]
                throw FolderInUse(
                    folder: root.relativePath,
                    found: entries.count == 1 ? "'\(first)'" : "'\(first)' and \(entries.count - 1) more")
            }
        }
        do {
            if overwrites {
                let list = root.appending(path: PairDataset.metadataName)
                if files.fileExists(atPath: list.path) { try files.removeItem(at: list) }
                for panel in panels where files.fileExists(atPath: panel.path) {
                    for name in try listed(panel) where Self.isPanelName(name) {
                        try files.removeItem(at: panel.appending(path: name))
                    }
                }
            }
            for panel in panels { try createFolder(panel.relativePath) }
        } catch let error as FileError {
            throw error
        } catch {
            throw FileError(
                root.relativePath, expected: "a folder that can be written", found: error.localizedDescription)
        }
    }

    private func listed(_ folder: URL) throws -> [String] {
        do {
            return try FileManager.default.contentsOfDirectory(atPath: folder.path)
        } catch {
            throw FileError(folder.relativePath, expected: "a readable folder", found: error.localizedDescription)
        }
    }

    /// Whether a name is one that ``write(to:overwrites:progress:)`` gives, or what a killed process left of such a file.
    private static func isPanelName(_ name: String) -> Bool {
        if name.hasPrefix("."), name.hasSuffix(".partial") {
            let parts = name.dropFirst().split(separator: ".", omittingEmptySubsequences: false)
            return parts.count == 4 && isPanelName("\(parts[0]).\(parts[1])")
        }
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 2 && parts[0].count == 6 && parts[0].allSatisfy { ("0"..."9").contains($0) }
            && Format(rawValue: String(parts[1])) != nil
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
