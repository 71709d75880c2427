import Foundation
import TensorIO

/// What the writers of datasets share.
enum ShardWriting {
    /// The file that stands in a folder of shards until all of them are there.
    static let unfinishedName = "unfinished.json"

    /// Takes a folder for this process. Throws `FileError` when another one fills it.
    static func lock(_ folder: String) throws(FileError) -> FolderLock {
        if let found = FileIdentity(folder), !found.isFolder {
            throw FileError(folder, expected: "a folder to write to", found: "a file")
        }
        return try FolderLock(folder, expected: "a folder that no other process fills", found: "one in the making")
    }

    /// The names in a folder, in order. Throws ``FileError`` when it cannot be read.
    static func names(in folder: URL) throws(FileError) -> [String] {
        do {
            return try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
        } catch {
            throw FileError(folder.relativePath, expected: "a readable folder", found: error.localizedDescription)
        }
    }

    /// Removes a file. Throws ``FileError`` when it cannot be removed.
    static func remove(_ file: URL) throws(FileError) {
        do {
            try FileManager.default.removeItem(at: file)
        } catch {
            throw FileError(
                file.relativePath, expected: "a file that can be removed", found: error.localizedDescription)
        }
    }

    /// The members of a pair in a shard.
    struct Sample: Sendable {
        /// What all its members' names begin with.
        var key: String
        /// The members: an extension such as `source.png`, and bytes.
        var members: [(name: String, bytes: [UInt8])]
    }

    /// Writes one shard.
    static func write(_ samples: [Sample], to path: String) throws {
        try TarWriter.write(to: path) { tar in
            for sample in samples {
                for member in sample.members { try tar.add("\(sample.key).\(member.name)", member.bytes) }
            }
        }
    }
}
