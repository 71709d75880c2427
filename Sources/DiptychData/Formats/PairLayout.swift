import Foundation
import TensorIO

/// How a dataset lies on the disk, told from the names that are there.
struct PairLayout: Sendable {
    enum Kind: Sendable {
        /// A list, one JSON object a line.
        case lines
        /// A list, one row of a table a line.
        case table
        /// Shards, by their paths.
        case shards([String])
        /// MagicBrush's test folder.
        case magicBrush
        /// A folder of sources and one of targets, with pictures of the same names.
        case folders(PairFolders)
        /// Pictures whose names end in what they are: `cat.source.png` and `cat.target.png`.
        case names
    }

    let kind: Kind
    /// The folder of the dataset, or that of a list or a shard.
    let folder: URL
    /// What errors name: the list, or the folder or shard.
    let path: String

    /// What is read, as errors say it.
    static let expectation =
        "a dataset: a list (metadata.jsonl, .csv), shards (.tar), folders 'source' and 'target', or pictures NAME.source.png"

    /// Looks at what is at `path`.
    ///
    /// Throws `FileError` when it is no dataset, one whose making was interrupted, or one that can be taken in two ways.
    init(path: String, reading: PairReading) throws(FileError) {
        guard let layout = try Self.found(at: path, reading) else { throw Self.absence(at: path) }
        self = layout
    }

    /// What is at a path that is no dataset.
    static func absence(at path: String) -> FileError {
        var isFolder: ObjCBool = false
        let exists = FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
        let names = isFolder.boolValue ? visibleNames(in: path) : []
        let pictures = names.count { StoredImageFormat.hasSuffix($0) }
        let found =
            !exists
            ? "no such file or folder"
            : !isFolder.boolValue
                ? "another file"
                : names.isEmpty
                    ? "an empty folder" : "a folder without them" + (pictures > 0 ? ", of \(pictures) pictures" : "")
        return FileError(path, expected: expectation, found: found)
    }

    /// Whether a path looks like a dataset of any kind, as far as names can tell.
    static func isThere(_ path: String, _ reading: PairReading) -> Bool {
        do {
            return try found(at: path, reading) != nil
        } catch {
            // It is one, with a fault that its reader will name.
            return true
        }
    }

    private init(_ kind: Kind, _ folder: URL, _ path: String) {
        (self.kind, self.folder, self.path) = (kind, folder, path)
    }

    private static func found(at path: String, _ reading: PairReading) throws(FileError) -> PairLayout? {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else { return nil }
        guard isFolder.boolValue else {
            let parent = URL(filePath: path).deletingLastPathComponent()
            switch (path as NSString).pathExtension.lowercased() {
            case "tar": return PairLayout(.shards([path]), parent, path)
            case "jsonl": return PairLayout(.lines, parent, path)
            case "csv", "tsv": return PairLayout(.table, parent, path)
            default: return nil
            }
        }
        let folder = URL(filePath: path, directoryHint: .isDirectory)
        func inside(_ name: String) -> String { PairListing.path(of: name, in: folder) }
        let names = visibleNames(in: path, hidden: [ShardWriting.unfinishedName])
        if names.contains(PairDataset.metadataName) {
            return PairLayout(.lines, folder, inside(PairDataset.metadataName))
        }
        if names.contains(ShardWriting.unfinishedName) {
            throw FileError(
                path, expected: "a finished dataset",
                found: "one whose making was interrupted (the same command finishes it)")
        }
        let shards = names.filter { $0.hasSuffix(".tar") }
        if !shards.isEmpty { return PairLayout(.shards(shards.map(inside)), folder, path) }
        if PairListing.isMagicBrushTest(names) { return PairLayout(.magicBrush, folder, path) }
        let tables = names.filter { ["csv", "tsv"].contains(($0 as NSString).pathExtension.lowercased()) }
        if let table = tables.first(where: { $0.hasPrefix("metadata.") }) ?? tables.first {
            guard tables.count == 1 || table.hasPrefix("metadata.") else {
                throw FileError(
                    path, expected: "one list, or one with the name metadata.csv",
                    found: "\(tables.count): \(tables.prefix(3).joined(separator: ", ")) (name the file that is meant)")
            }
            return PairLayout(.table, folder, inside(table))
        }
        if let folders = try PairFolders(in: folder, names, reading) {
            return PairLayout(.folders(folders), folder, path)
        }
        return PairNames.areThere(in: folder, names, reading) ? PairLayout(.names, folder, path) : nil
    }

    /// The names in a folder that do not begin with a dot, and those of `hidden`; by bytes, so that the order does not
    /// depend on the locale.
    static func visibleNames(in path: String, hidden: Set<String> = []) -> [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).filter {
            !$0.hasPrefix(".") || hidden.contains($0)
        }
        .sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }
}
