import Foundation
import TensorIO

/// What an entry of a dataset for evaluation is called.
struct EvaluationName: Sendable, Hashable {
    /// The key `id`, or the key of a shard's members, or the number of a line.
    var id = ""
    /// Whether the dataset gives the id itself.
    var isGiven = false
    /// The session that an edit belongs to, and its place in that, from 1.
    var session: String?
    var turn: Int?

    /// Names of a JSON object's keys `id`, `session` and `turn`, texts or whole numbers.
    init(_ object: [String: JSONValue], otherwise place: String) {
        func text(_ key: String) -> String? {
            if let text = object[key]?.string { return text.isEmpty ? nil : text }
            return object[key]?.integer.map { "\($0)" }
        }
        id = text("id") ?? place
        isGiven = text("id") != nil
        session = text("session")
        turn = text("turn").flatMap(Int.init)
    }

    init() {}
}

extension PairListing {
    static let magicBrushSessions = "edit_sessions.json"
    static let magicBrushTurns = "edit_turns.json"

    /// Whether a folder with these names is MagicBrush's test folder.
    static func isMagicBrushTest(_ names: [String]) -> Bool {
        names.contains(magicBrushSessions) || names.contains(magicBrushTurns)
    }

    /// Sees to it that every entry has an id of its own: what is written for it bears that name.
    ///
    /// Shards of others often begin to count anew, so that a key that several have goes with the shard's name.
    mutating func nameEntries() {
        let known = entries.reduce(into: [:]) { $0[$1.name.id, default: 0] += 1 }
        for i in entries.indices where known[entries[i].name.id]! > 1 && !entries[i].name.isGiven {
            let shard = URL(filePath: entries[i].list).deletingPathExtension().lastPathComponent
            entries[i].name.id = "\(shard)-\(entries[i].name.id)"
        }
        var first: [String: Entry] = [:]
        for entry in entries {
            guard let earlier = first.updateValue(entry, forKey: entry.name.id) else { continue }
            faults.append(
                FileError(
                    entry.list, key: entry.place, expected: "an id of its own",
                    found:
                        "'\(entry.name.id)' as in \(earlier.list == entry.list ? "" : "\(earlier.list): ")\(earlier.place)"
                ))
        }
    }

    /// Reads MagicBrush's test folder: `images/ID/ID-input.png`, `ID-mask1.png`, `ID-output1.png`, …, the turns of each session
    /// in `edit_sessions.json`, the same turns in `edit_turns.json`, and captions in `global_descriptions.json`.
    ///
    /// Sessions come by their names, turns in their order. Throws ``FileError`` when a list is missing or none.
    mutating func readMagicBrush() throws(FileError) {
        let sessionsPath = Self.path(of: Self.magicBrushSessions, in: folder)
        let turnsPath = Self.path(of: Self.magicBrushTurns, in: folder)
        guard let sessions = try Self.json(sessionsPath).fields?.mapValues(Self.objects),
            let steps = Self.whole(sessions)
        else {
            throw FileError(
                sessionsPath, expected: "an object with a list of turns for each session", found: "other JSON")
        }
        guard let turns = Self.objects(try Self.json(turnsPath)) else {
            throw FileError(turnsPath, expected: "a list of turns", found: "other JSON")
        }
        let captionsPath = Self.path(of: "global_descriptions.json", in: folder)
        var captions: [String: [String: String]] = [:]
        if FileManager.default.fileExists(atPath: captionsPath) {
            let read = try Self.json(captionsPath).fields?
                .mapValues { $0.fields.flatMap { Self.whole($0.mapValues(\.string)) } }
            guard let read = read.flatMap(Self.whole) else {
                throw FileError(
                    captionsPath, expected: "a caption for each picture of each session", found: "other JSON")
            }
            captions = read
        }
        var paths = PairPaths(folder: folder, allowsOutside: reading.allowsOutside)
        func name(_ turn: [String: JSONValue]) -> String {
            "\(turn["input"] ?? "nothing") to \(turn["output"] ?? "nothing")"
        }
        var listed: Set<String> = []
        for (session, steps) in steps.sorted(by: { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }) {
            for (number, step) in steps.enumerated() {
                listed.insert(name(step))
                do throws(FileError) {
                    entries.append(
                        try Self.magicBrushEntry(
                            step, session, number + 1, captions[session] ?? [:], sessionsPath, &paths))
                } catch {
                    faults.append(error)
                }
            }
        }
        let known = Set(turns.map(name))
        for turn in listed.symmetricDifference(known).sorted() {
            faults.append(
                FileError(
                    known.contains(turn) ? sessionsPath : turnsPath,
                    expected:
                        "the turn \(turn) of \(known.contains(turn) ? Self.magicBrushTurns : Self.magicBrushSessions)",
                    found: "none such"))
        }
        if entries.isEmpty, faults.isEmpty {
            faults.append(FileError(sessionsPath, expected: "at least one turn", found: "none"))
        }
    }

    private static func magicBrushEntry(
        _ turn: [String: JSONValue], _ session: String, _ number: Int, _ captions: [String: String], _ list: String,
        _ paths: inout PairPaths
    ) throws(FileError) -> Entry {
        let place = "\(session): turn \(number)"
        var names = PairReading()
        names.columns = ["source": "input", "target": "output"]
        var object = turn
        object["input_caption"] = turn["input"]?.string.flatMap { captions[$0] }.map { .string($0) }
        object["output_caption"] = turn["output"]?.string.flatMap { captions[$0] }.map { .string($0) }
        var record = try Self.record(object, list, place, .training, names)
        let mask = turn["mask"]?.string
        var files: [PairFile] = []
        let pictures = [("input", record.source), ("output", record.target)] + (mask.map { [("mask", $0)] } ?? [])
        for (key, name) in pictures {
            do throws(PairPaths.Fault) {
                files.append(.path(try paths.find("images/\(session)/\(name)")))
            } catch {
                throw FileError(list, place, key, error)
            }
        }
        (record.source, record.target) = ("images/\(session)/\(record.source)", "images/\(session)/\(record.target)")
        var name = EvaluationName([:], otherwise: "\(session)-\(number)")
        (name.session, name.turn) = (session, number)
        return Entry(
            record: record, source: files[0], target: files[1], mask: mask == nil ? nil : files[2], list: list,
            place: place, name: name)
    }

    private static func json(_ path: String) throws(FileError) -> JSONValue {
        let text = try TextFile(contentsOf: path, expected: "a list of MagicBrush's test folder").text
        guard let value = try? JSONValue(parsing: text) else {
            throw FileError(path, expected: "JSON", found: "text that is none")
        }
        return value
    }

    /// The objects of a list of nothing else.
    private static func objects(_ value: JSONValue) -> [[String: JSONValue]]? {
        guard let objects = value.elements?.map(\.fields), !objects.contains(where: { $0 == nil }) else { return nil }
        return objects.compactMap(\.self)
    }

    /// The dictionary, if none of its values is nil.
    private static func whole<Value>(_ fields: [String: Value?]) -> [String: Value]? {
        let whole = fields.compactMapValues(\.self)
        return whole.count == fields.count ? whole : nil
    }
}
