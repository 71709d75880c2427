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
        /// The picture after the edit; only what is listed for evaluation may lack it.
        var target: PairFile?
        var mask: PairFile?
        /// The file that lists it: `metadata.jsonl` or a shard.
        var list: String
        /// Where in that: `line 3` or a key.
        var place: String
        /// Its name, its session and its turn in that, where a dataset for evaluation gives them.
        var name = EvaluationName()
    }

    /// What is read for.
    enum Purpose: Sendable {
        /// Every pair needs a target.
        case training
        /// Targets may be absent, and sessions and ids are read.
        case evaluation

        var requiredKeys: [String] { self == .training ? PairRecord.requiredKeys : ["source", "instruction"] }
        var optionalKeys: [String] { (self == .training ? [] : ["target"]) + PairRecord.optionalKeys }
    }

    /// The folder, or the folder of a single shard.
    var folder: URL
    /// The list's path, or that of all shards.
    var path: String
    var shards: [TarFile] = []
    var entries: [Entry] = []
    var faults: [FileError] = []
    /// How many of the faults are pairs that lack nothing but a target.
    var untargeted = 0
    /// Where the pictures that a list names are found.
    private var paths: PairPaths
    /// Pairs of a list that are not asked for, whose pictures are not looked for.
    private var left = 0
    /// How the pairs are named and chosen.
    let reading: PairReading
    /// What they are read for.
    let purpose: Purpose

    /// Reads what a dataset of any ``PairLayout`` lists: its list, the headers and texts of its shards, or the names of its
    /// pictures; MagicBrush's test folder for evaluation only.
    ///
    /// Throws ``FileError`` when there is no dataset.
    init(path: String, reading: PairReading = PairReading(), purpose: Purpose = .training) throws(FileError) {
        self.reading = reading
        self.purpose = purpose
        let layout = try PairLayout(path: path, reading: reading)
        folder = layout.folder
        self.path = layout.path
        paths = PairPaths(folder: folder, allowsOutside: reading.allowsOutside)
        switch layout.kind {
        case .lines: readLines(try TextFile(contentsOf: layout.path, expected: "one JSON object a line"))
        case .table: readTable(try TextFile(contentsOf: layout.path, expected: "a table with a header"))
        case .shards(let paths): readShards(paths)
        case .magicBrush:
            guard purpose == .evaluation else {
                throw FileError(
                    path, expected: "a dataset to train on",
                    found:
                        "MagicBrush's test folder, for evaluation only (diptych data check --evaluation reads it)")
            }
            try readMagicBrush()
        case .folders(let folders): readFolders(folders)
        case .names: readNames()
        }
        if entries.isEmpty && faults.isEmpty {
            faults.append(FileError(layout.path, expected: "at least one pair", found: "an empty list"))
        }
        finish()
    }

    /// Leaves only the pairs that are asked for, and sums up.
    private mutating func finish() {
        if entries.isEmpty, untargeted > 0, untargeted == faults.count {
            // Not a thousand accidents, but a dataset of another kind.
            faults = [
                FileError(
                    path, expected: faults[0].expected + " in every pair",
                    found: "none in \(untargeted): for evaluation only (diptych data check --evaluation reads it)",
                    nearest: faults[0].nearest)
            ]
        }
        let count = entries.count + left
        entries.removeAll { !reading.keeps($0.record) }
        if purpose == .evaluation { nameEntries() }
        guard entries.isEmpty, count > 0 else { return }
        let tasks = reading.tasks.isEmpty ? "" : " of the tasks \(reading.tasks.joined(separator: ", "))"
        let score = reading.minimumScore.map { " with a score of at least \($0)" } ?? ""
        faults.append(
            FileError(path, expected: "at least one pair\(tasks)\(score)", found: "none among \(count)"))
    }

    static func path(of name: String, in folder: URL) -> String { folder.appending(path: name).relativePath }

    // MARK: Lists

    private mutating func readLines(_ text: TextFile) {
        for (index, line) in text.lines.enumerated() where !line.allSatisfy(\.isWhitespace) {
            let place = "line \(index + 1)"
            do throws(FileError) {
                add(try Self.object(line, path, place), place: place, name: "\(index + 1)")
            } catch {
                faults.append(error)
            }
        }
    }

    /// Adds the pair that a list has at `place`, or what is wrong with it; `name` is the pair's where it has none itself.
    mutating func add(_ object: [String: JSONValue], place: String, name: String) {
        do throws(FileError) {
            let record: PairRecord
            do throws(FileError) {
                record = try Self.record(object, path, place, purpose, reading)
            } catch {
                if (try? Self.record(object, path, place, .evaluation, reading))?.target.isEmpty ?? false {
                    untargeted += 1
                }
                throw error
            }
            guard reading.keeps(record) else {
                left += 1
                return
            }
            // Masks are for evaluation; training has no use for them.
            let mask = purpose == .evaluation ? object[reading.name(of: "mask")]?.string : nil
            var files: [String: PairFile] = [:]
            var isWhole = true
            for (key, name) in [("source", record.source), ("target", record.target), ("mask", mask ?? "")]
            where !name.isEmpty {
                do throws(PairPaths.Fault) {
                    files[key] = .path(try paths.find(name))
                } catch {
                    isWhole = false
                    faults.append(FileError(path, place, key, error))
                }
            }
            guard isWhole, let source = files["source"] else { return }
            entries.append(
                Entry(
                    record: record, source: source, target: files["target"], mask: files["mask"], list: path,
                    place: place, name: EvaluationName(object, otherwise: name)))
        } catch {
            faults.append(error)
        }
    }

    static func object(_ text: some StringProtocol, _ path: String, _ place: String) throws(FileError) -> [String:
        JSONValue]
    {
        guard let parsed = try? JSONValue(parsing: text) else {
            throw FileError(path, key: place, expected: "a JSON object", found: "text that is no JSON")
        }
        guard let object = parsed.fields else {
            throw FileError(path, key: place, expected: "a JSON object", found: "another JSON value")
        }
        return object
    }

    /// The record of a JSON object; `pictures` says whether it names them too, as in a list.
    static func record(
        _ object: [String: JSONValue], _ path: String, _ place: String, _ purpose: Purpose, _ reading: PairReading,
        pictures: Bool = true
    ) throws(FileError) -> PairRecord {
        let required = pictures ? purpose.requiredKeys : ["instruction"]
        var instructions = try texts(object, "instructions", path, place, reading) ?? []
        var strings: [String: String] = [:]
        for column in required + (pictures ? purpose.optionalKeys : PairRecord.optionalKeys) {
            let key = reading.name(of: column)
            // OmniEdit has a list of prompts where others have one.
            if column == "instruction", object[key]?.elements != nil {
                instructions = try texts(object, column, path, place, reading) ?? []
                strings[column] = instructions.first ?? ""
                continue
            }
            switch object[key] {
            case .string(let value): strings[column] = value
            case nil where column == "instruction" && !instructions.isEmpty: strings[column] = instructions[0]
            case nil where required.contains(column):
                throw FileError(
                    path, key: place, expected: "the key '\(key)'", found: "none",
                    nearest: nearestName(to: key, among: object.keys.filter { $0 != key }.sorted()))
            case nil, .null: break
            case let other?:
                throw FileError(path, key: "\(place): \(key)", expected: "a string", found: "\(other)")
            }
        }
        for column in required + (strings["target"] == nil ? [] : ["target"])
        where strings[column]?.allSatisfy(\.isWhitespace) ?? true {
            throw FileError(
                path, key: "\(place): \(reading.name(of: column))", expected: "some text", found: "an empty string")
        }
        return PairRecord(
            strings, instructions: instructions, score: try score(object, path, place, reading),
            mirrorable: try mirrorable(object, path, place, reading))
    }

    /// A list of texts that are not empty.
    private static func texts(
        _ object: [String: JSONValue], _ column: String, _ path: String, _ place: String, _ reading: PairReading
    ) throws(FileError) -> [String]? {
        let key = reading.name(of: column)
        guard let value = object[key], !value.isNull else { return nil }
        guard let texts = value.strings, texts.allSatisfy({ !$0.allSatisfy(\.isWhitespace) }) else {
            throw FileError(
                path, key: "\(place): \(key)", expected: "a list of texts that are not empty", found: "\(value)")
        }
        return texts
    }

    /// A number, or a text that is one.
    private static func score(
        _ object: [String: JSONValue], _ path: String, _ place: String, _ reading: PairReading
    ) throws(FileError) -> Double? {
        let key = reading.name(of: "score")
        guard let value = object[key], !value.isNull else { return nil }
        if let number = value.double ?? value.string.flatMap(Double.init), number.isFinite {
            return number
        }
        throw FileError(path, key: "\(place): \(key)", expected: "a number", found: "\(value)")
    }

    /// A truth value, as tables may spell it too.
    private static func mirrorable(
        _ object: [String: JSONValue], _ path: String, _ place: String, _ reading: PairReading
    ) throws(FileError) -> Bool? {
        let key = reading.name(of: "mirrorable")
        guard let value = object[key], !value.isNull else { return nil }
        switch (value.integer.map { "\($0)" } ?? value.description).lowercased() {
        case "true", "yes", "1": return true
        case "false", "no", "0": return false
        case "": return nil
        default: throw FileError(path, key: "\(place): \(key)", expected: "true or false", found: "\(value)")
        }
    }

    // MARK: Pictures

    /// A picture's file as it lies in the dataset; `body` gets its bytes and the name for errors.
    static func withBytes<Result>(
        of file: PairFile, _ shards: [TarFile], _ body: (UnsafeRawBufferPointer, String) throws -> Result
    ) throws -> Result {
        switch file {
        case .path(let path):
            let bytes = try readWholeFile(path, expected: "a picture that can be read")
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

    /// A decoded picture, and whether any part of it was transparent.
    static func decode(
        _ file: PairFile, _ shards: [TarFile], _ background: ImageBackground
    ) throws -> (image: Image, isTransparent: Bool) {
        if case .path(let path) = file { return try Image.decode(contentsOf: path, background: background) }
        return try withBytes(of: file, shards) { try Image.decode($0, name: $1, background: background) }
    }

    /// Lends a picture without its bottom `height / cropBottom` rows to `body`, with whether any part was transparent. `body`
    /// must not keep it nor read another: so many threads hold no more of them than ``PictureBudget/shared`` allows.
    static func withImage<Result>(
        _ file: PairFile, _ shards: [TarFile], _ reading: PairReading, _ body: (Image, Bool) throws -> Result
    ) throws -> Result {
        try withBytes(of: file, shards) { bytes, name in
            try Image.withDecoded(bytes, name: name, background: reading.background) { image, isTransparent in
                let cut = cutRows(image.height, reading.cropBottom)
                return try body(
                    cut == 0 ? image : image.crop(x: 0, y: 0, width: image.width, height: image.height - cut),
                    isTransparent)
            }
        }
    }

    /// A picture without its bottom `height / cropBottom` rows.
    static func image(
        _ file: PairFile, _ shards: [TarFile], cropBottom: Int, background: ImageBackground
    ) throws -> Image {
        let image = try decode(file, shards, background).image
        let cut = cutRows(image.height, cropBottom)
        return cut == 0 ? image : image.crop(x: 0, y: 0, width: image.width, height: image.height - cut)
    }

    /// The size of such a picture, from its header.
    static func size(
        _ file: PairFile, _ shards: [TarFile], cropBottom: Int
    ) throws -> (width: Int, height: Int) {
        let size = try withMappedBytes(of: file, shards) { try Image.size(decoding: $0, name: $1) }
        return (size.width, size.height - cutRows(size.height, cropBottom))
    }

    static func cutRows(_ height: Int, _ divisor: Int) -> Int {
        divisor > 0 ? min(height / divisor, height - 1) : 0
    }
}
