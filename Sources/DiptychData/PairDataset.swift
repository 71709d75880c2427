public import Foundation
public import TensorIO

/// A folder of pictures with a `metadata.jsonl` that pairs them.
public struct PairDataset: Sendable {
    /// The name of the file that lists the pairs.
    public static let metadataName = "metadata.jsonl"

    /// The folder.
    public let folder: URL
    /// Every pair, in the order of the file.
    public let records: [PairRecord]
    /// The list's path, spelled as the folder's was.
    public var listPath: String { path(of: Self.metadataName) }

    /// Reads and checks the list: every line must be a JSON object with `source`, `target` and `instruction`, and the
    /// pictures must exist. Throws ``DatasetError`` with all faults.
    public init(path: String) throws {
        folder = URL(filePath: path, directoryHint: .isDirectory)
        let list = Self.path(of: Self.metadataName, in: folder)
        let text: String
        do {
            text = try String(contentsOfFile: list, encoding: .utf8)
        } catch {
            let found = FileManager.default.fileExists(atPath: list) ? "an unreadable file" : "no such file"
            throw FileError(list, expected: "one JSON object a line", found: found)
        }
        var records: [PairRecord] = []
        var faults: [FileError] = []
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            if line.allSatisfy(\.isWhitespace) { continue }
            do {
                let record = try Self.parse(String(line), list, "line \(index + 1)")
                records.append(record)
                for (key, name) in [("source", record.source), ("target", record.target)] {
                    let file = Self.path(of: name, in: folder)
                    if !FileManager.default.fileExists(atPath: file) {
                        faults.append(
                            FileError(
                                list, key: "line \(index + 1): \(key)", expected: "a picture",
                                found: "no file '\(name)'"))
                    }
                }
            } catch {
                faults.append(error)
            }
        }
        if records.isEmpty && faults.isEmpty {
            faults.append(FileError(list, expected: "at least one pair", found: "an empty list"))
        }
        if !faults.isEmpty { throw DatasetError(faults: faults) }
        self.records = records
    }

    private static func parse(_ line: String, _ path: String, _ place: String) throws(FileError) -> PairRecord {
        guard let parsed = try? JSONSerialization.jsonObject(with: Data(line.utf8)) else {
            throw FileError(path, key: place, expected: "a JSON object", found: "text that is no JSON")
        }
        guard let object = parsed as? [String: Any] else {
            throw FileError(path, key: place, expected: "a JSON object", found: "another JSON value")
        }
        var strings: [String: String] = [:]
        for key in PairRecord.requiredKeys + PairRecord.optionalKeys {
            switch object[key] {
            case let value as String: strings[key] = value
            case nil where PairRecord.requiredKeys.contains(key):
                throw FileError(
                    path, key: place, expected: "the key '\(key)'", found: "none",
                    nearest: nearestName(to: key, among: object.keys.filter { $0 != key }))
            case nil, is NSNull: break
            case let other?:
                throw FileError(path, key: "\(place): \(key)", expected: "a string", found: "\(other)")
            }
        }
        for key in PairRecord.requiredKeys where strings[key]?.allSatisfy(\.isWhitespace) ?? true {
            throw FileError(path, key: "\(place): \(key)", expected: "some text", found: "an empty string")
        }
        return PairRecord(strings)
    }

    /// Both panels of a pair, resized with Pillow's bicubic filter.
    public func panels(at index: Int, width: Int, height: Int) throws -> (source: Image, target: Image) {
        let record = records[index]
        return (
            try panel(record.source, width: width, height: height),
            try panel(record.target, width: width, height: height)
        )
    }

    /// The path of a file of the folder, spelled as the folder's was.
    private func path(of name: String) -> String { Self.path(of: name, in: folder) }

    private static func path(of name: String, in folder: URL) -> String { folder.appending(path: name).relativePath }

    private func panel(_ name: String, width: Int, height: Int) throws -> Image {
        let image = try Image(contentsOf: path(of: name))
        if image.width == width && image.height == height { return image }
        return image.resized(width: width, height: height, filter: .bicubic)
    }

    /// Writes a list of pairs beside pictures that are already in `folder`, replacing an old list only when whole.
    public static func write(_ records: [PairRecord], to folder: URL) throws {
        let lines = try records.map { record in
            try JSONSerialization.data(
                withJSONObject: record.jsonObject, options: [.sortedKeys, .withoutEscapingSlashes])
        }
        let path = folder.appending(path: metadataName).path
        try AtomicFile.write(to: path) { try $0.write(lines.flatMap { [UInt8]($0) + [UInt8(ascii: "\n")] }) }
    }
}

/// Every fault of a dataset at once.
public struct DatasetError: Error, CustomStringConvertible {
    /// The faults, in the order of the file.
    public let faults: [FileError]

    /// A line a fault; after twenty, the number of the rest.
    public var lines: [String] {
        let shown = faults.prefix(20).map(\.description)
        return faults.count > 20 ? shown + ["and \(faults.count - 20) more faults"] : shown
    }

    /// The ``lines``.
    public var description: String { lines.joined(separator: "\n") }
}
