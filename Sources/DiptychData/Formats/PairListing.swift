import Foundation
import InContextEdit
import Synchronization
import TensorCore
import TensorIO

/// Where a picture of a dataset lies.
enum PairFile: Sendable, Hashable {
    /// A file.
    case path(String)
    /// A member of one of the dataset's shards.
    case member(shard: Int, TarFile.Member)
}

extension PairFile {
    /// The same file when `count` shards come before those of its dataset.
    func behind(_ count: Int) -> PairFile {
        guard case .member(let shard, let member) = self else { return self }
        return .member(shard: shard + count, member)
    }
}

/// All that is listed in a dataset, with every fault of the list.
struct PairListing: Sendable {
    /// A pair as it is listed.
    struct Entry: Sendable {
        var record: PairRecord
        var source: PairFile
        var target: PairFile
        var mask: PairFile?
        /// The file that lists it: `metadata.jsonl` or a shard.
        var list: String
        /// Where in that: `line 3` or a key.
        var place: String
    }

    /// The folder, or the folder of a single shard.
    var folder: URL
    /// The list's path, or that of all shards.
    var path: String
    var shards: [TarFile] = []
    var entries: [Entry] = []
    var faults: [FileError] = []
    /// How the pairs are named and chosen.
    private let reading: PairReading

    /// Reads the list of a folder of pictures, or the headers and texts of a folder of shards or of one shard.
    ///
    /// Throws ``FileError`` when there is neither.
    init(path: String, reading: PairReading = PairReading()) throws(FileError) {
        self.reading = reading
        var isFolder: ObjCBool = false
        let exists = FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
        if exists, !isFolder.boolValue, path.hasSuffix(".tar") {
            folder = URL(filePath: path).deletingLastPathComponent()
            self.path = path
            readShards([path])
            choose()
            return
        }
        folder = URL(filePath: path, directoryHint: .isDirectory)
        let list = Self.path(of: PairDataset.metadataName, in: folder)
        if exists, !FileManager.default.fileExists(atPath: list) {
            let names = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
            // By bytes, so that the order does not depend on the locale.
            let shards = names.filter { $0.hasSuffix(".tar") && !$0.hasPrefix(".") }
                .sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
            if names.contains(ShardWriting.unfinishedName) {
                throw FileError(
                    path, expected: "a finished dataset",
                    found: "one whose making was interrupted (the same command finishes it)")
            }
            if !shards.isEmpty {
                self.path = path
                readShards(shards.map { Self.path(of: $0, in: folder) })
                choose()
                return
            }
        }
        self.path = list
        let text: String
        do {
            text = try String(contentsOfFile: list, encoding: .utf8)
        } catch {
            let found = FileManager.default.fileExists(atPath: list) ? "an unreadable file" : "no such file"
            throw FileError(list, expected: "one JSON object a line", found: found)
        }
        readLines(text)
        if entries.isEmpty && faults.isEmpty {
            faults.append(FileError(list, expected: "at least one pair", found: "an empty list"))
        }
        choose()
    }

    /// Leaves only the pairs that are asked for.
    private mutating func choose() {
        let count = entries.count
        entries.removeAll { !reading.keeps($0.record) }
        guard entries.isEmpty, count > 0 else { return }
        let tasks = reading.tasks.isEmpty ? "" : " of the tasks \(reading.tasks.joined(separator: ", "))"
        let score = reading.minimumScore.map { " with a score of at least \($0)" } ?? ""
        faults.append(
            FileError(path, expected: "at least one pair\(tasks)\(score)", found: "none among \(count)"))
    }

    static func path(of name: String, in folder: URL) -> String { folder.appending(path: name).relativePath }

    // MARK: Lists

    private mutating func readLines(_ text: String) {
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            if line.allSatisfy(\.isWhitespace) { continue }
            let place = "line \(index + 1)"
            do {
                let record = try Self.parse(
                    Data(line.utf8), path, place, required: PairRecord.requiredKeys, reading)
                var isWhole = true
                for (key, name) in [("source", record.source), ("target", record.target)] where reading.keeps(record) {
                    if !FileManager.default.fileExists(atPath: Self.path(of: name, in: folder)) {
                        isWhole = false
                        faults.append(
                            FileError(
                                path, key: "\(place): \(key)", expected: "a picture", found: "no file '\(name)'"))
                    }
                }
                guard isWhole else { continue }
                entries.append(
                    Entry(
                        record: record, source: .path(Self.path(of: record.source, in: folder)),
                        target: .path(Self.path(of: record.target, in: folder)), list: path, place: place))
            } catch {
                faults.append(error)
            }
        }
    }

    static func parse(
        _ text: Data, _ path: String, _ place: String, required: [String], _ reading: PairReading
    ) throws(FileError) -> PairRecord {
        guard let parsed = try? JSONSerialization.jsonObject(with: text) else {
            throw FileError(path, key: place, expected: "a JSON object", found: "text that is no JSON")
        }
        guard let object = parsed as? [String: Any] else {
            throw FileError(path, key: place, expected: "a JSON object", found: "another JSON value")
        }
        var instructions = try texts(object, "instructions", path, place, reading) ?? []
        var strings: [String: String] = [:]
        for column in required + PairRecord.optionalKeys {
            let key = reading.name(of: column)
            // OmniEdit has a list of prompts where others have one.
            if column == "instruction", object[key] is [Any] {
                instructions = try texts(object, column, path, place, reading) ?? []
                strings[column] = instructions.first ?? ""
                continue
            }
            switch object[key] {
            case let value as String: strings[column] = value
            case nil where column == "instruction" && !instructions.isEmpty: strings[column] = instructions[0]
            case nil where required.contains(column):
                throw FileError(
                    path, key: place, expected: "the key '\(key)'", found: "none",
                    nearest: nearestName(to: key, among: object.keys.filter { $0 != key }.sorted()))
            case nil, is NSNull: break
            case let other?:
                throw FileError(path, key: "\(place): \(key)", expected: "a string", found: "\(other)")
            }
        }
        for column in required where strings[column]?.allSatisfy(\.isWhitespace) ?? true {
            throw FileError(
                path, key: "\(place): \(reading.name(of: column))", expected: "some text", found: "an empty string")
        }
        return PairRecord(strings, instructions: instructions, score: try score(object, path, place, reading))
    }

    /// A list of texts that are not empty.
    private static func texts(
        _ object: [String: Any], _ column: String, _ path: String, _ place: String, _ reading: PairReading
    ) throws(FileError) -> [String]? {
        let key = reading.name(of: column)
        guard let value = object[key], !(value is NSNull) else { return nil }
        guard let texts = value as? [String], texts.allSatisfy({ !$0.allSatisfy(\.isWhitespace) }) else {
            throw FileError(
                path, key: "\(place): \(key)", expected: "a list of texts that are not empty", found: "\(value)")
        }
        return texts
    }

    /// A number, or a text that is one.
    private static func score(
        _ object: [String: Any], _ path: String, _ place: String, _ reading: PairReading
    ) throws(FileError) -> Double? {
        let key = reading.name(of: "score")
        guard let value = object[key], !(value is NSNull) else { return nil }
        if let number = (value as? NSNumber)?.doubleValue ?? (value as? String).flatMap(Double.init), number.isFinite {
            return number
        }
        throw FileError(path, key: "\(place): \(key)", expected: "a number", found: "\(value)")
    }

    // MARK: Shards

    private mutating func readShards(_ paths: [String]) {
        typealias Part = (tar: TarFile?, entries: [Entry], faults: [FileError])
        let parts = Mutex<[Int: Part]>([:])
        let reading = reading
        parallelFor(paths.count, grain: 1) { range in
            for i in range {
                var part: Part = (nil, [], [])
                do throws(FileError) {
                    let tar = try TarFile(path: paths[i])
                    part.tar = tar
                    Self.read(tar, number: i, reading, &part.entries, &part.faults)
                } catch {
                    part.faults = [error]
                }
                let whole = part
                parts.withLock { $0[i] = whole }
            }
        }
        let all = parts.withLock { $0 }.sorted { $0.key < $1.key }.map(\.value)
        for part in all {
            faults += part.faults
            entries += part.entries
        }
        // The numbers of shards hold only when every one of them could be opened.
        shards = all.compactMap(\.tar)
        if shards.count < all.count {
            let places = all.indices.filter { all[$0].tar != nil }
            let numbers = Dictionary(uniqueKeysWithValues: places.enumerated().map { ($0.element, $0.offset) })
            for i in entries.indices { entries[i].renumber(numbers) }
        }
    }

    /// Puts together the members whose names begin with the same key, up to the first dot of the file's name.
    private static func read(
        _ tar: TarFile, number: Int, _ reading: PairReading, _ entries: inout [Entry], _ faults: inout [FileError]
    ) {
        var groups: [(key: String, members: [String: TarFile.Member])] = []
        for member in tar.members {
            let slash = member.name.lastIndex(of: "/").map { member.name.index(after: $0) } ?? member.name.startIndex
            guard let dot = member.name[slash...].firstIndex(of: "."), dot > slash else { continue }
            let key = String(member.name[..<dot])
            let kind = member.name[member.name.index(after: dot)...].lowercased()
            if groups.last?.key != key { groups.append((key, [:])) }
            if groups[groups.count - 1].members.updateValue(member, forKey: kind) != nil {
                faults.append(
                    FileError(tar.path, key: key, expected: "one member '\(kind)'", found: "another before it"))
            }
        }
        if groups.isEmpty {
            faults.append(FileError(tar.path, expected: "at least one pair", found: "an archive without any"))
        }
        for group in groups {
            do throws(FileError) {
                entries.append(try entry(tar, number, group.key, group.members, reading))
            } catch {
                faults.append(error)
            }
        }
    }

    private static func entry(
        _ tar: TarFile, _ number: Int, _ key: String, _ members: [String: TarFile.Member], _ reading: PairReading
    ) throws(FileError) -> Entry {
        func picture(_ column: String) -> TarFile.Member? {
            let name = reading.name(of: column).lowercased()
            return ["png", "jpg", "jpeg"].lazy.compactMap { members["\(name).\($0)"] }.first
        }
        func need(_ member: TarFile.Member?, _ name: String) throws(FileError) -> TarFile.Member {
            guard let member else {
                throw FileError(
                    tar.path, key: key, expected: "a member '\(key).\(name)'",
                    found: members.keys.sorted().map { "'.\($0)'" }.joined(separator: ", "))
            }
            return member
        }
        let source = try need(picture("source"), "\(reading.name(of: "source")).png or .jpg")
        let target = try need(picture("target"), "\(reading.name(of: "target")).png or .jpg")
        let text = tar.withBytes(of: try need(members["json"], "json")) { Data($0) }
        var record = try PairListing.parse(text, tar.path, key, required: ["instruction"], reading)
        record.source = source.name
        record.target = target.name
        return Entry(
            record: record, source: .member(shard: number, source), target: .member(shard: number, target),
            mask: picture("mask").map { .member(shard: number, $0) }, list: tar.path, place: key)
    }

    // MARK: Pictures

    /// A picture's file as it lies in the dataset; `body` gets its bytes and the name for errors.
    static func withBytes<Result>(
        of file: PairFile, _ shards: [TarFile], _ body: (UnsafeRawBufferPointer, String) throws -> Result
    ) throws -> Result {
        switch file {
        case .path(let path):
            let bytes: Data
            do {
                bytes = try Data(contentsOf: URL(filePath: path))
            } catch {
                throw FileError(path, expected: "a picture that can be read", found: error.localizedDescription)
            }
            return try bytes.withUnsafeBytes { try body($0, path) }
        case .member(let shard, let member):
            return try shards[shard].withBytes(of: member) { try body($0, "\(shards[shard].path): \(member.name)") }
        }
    }

    /// The same without reading more of a file than `body` looks at; files must not shrink meanwhile.
    static func withMappedBytes<Result>(
        of file: PairFile, _ shards: [TarFile], _ body: (UnsafeRawBufferPointer, String) throws -> Result
    ) throws -> Result {
        guard case .path(let path) = file else { return try withBytes(of: file, shards, body) }
        do {
            let mapped = try MappedFile(path: path)
            return try withExtendedLifetime(mapped) { try body(mapped.bytes, path) }
        } catch let error as MappedFile.Failure {
            throw FileError(path, expected: "a picture that can be read", found: error.reason)
        }
    }

    static func image(_ file: PairFile, _ shards: [TarFile]) throws -> Image {
        if case .path(let path) = file { return try Image(contentsOf: path) }
        return try withBytes(of: file, shards) { try Image(decoding: $0, name: $1) }
    }
}

extension PairListing.Entry {
    fileprivate mutating func renumber(_ numbers: [Int: Int]) {
        func renumbered(_ file: PairFile) -> PairFile {
            guard case .member(let shard, let member) = file else { return file }
            return .member(shard: numbers[shard]!, member)
        }
        source = renumbered(source)
        target = renumbered(target)
        mask = mask.map(renumbered)
    }
}
