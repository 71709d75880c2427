import Foundation
import InContextEdit
import TensorIO

/// Pictures whose names end in what they are, in one folder or in one folder a pair, with the instruction in a `.txt`:
///
///     cat.source.png   cat.target.png   cat.txt           also cat_source.png, cat-start.png and cat-end.png, …
///     0001/source.png  0001/target.png  0001/instruction.txt
///
/// A member of shards that have been unpacked, `cat.json`, does instead of the text.
struct PairNames {
    /// The pictures of a pair.
    struct Group {
        /// The folder inside the dataset's, and what the names begin with; empty where they are nothing but the role.
        var folder: String
        var stem: String
        var pictures: [PairRole: [String]] = [:]
        /// What stands between the stem and the role.
        var separator: Character?

        var place: String {
            stem.isEmpty ? folder : PairListing.joined(folder, stem)
        }
    }

    /// The pairs by their names.
    let groups: [Group]

    /// Groups the pictures of the dataset's folder and of the folders in it.
    init(in folder: URL, _ reading: PairReading) {
        let names = PairLayout.visibleNames(in: folder.relativePath)
        var groups: [String: Group] = [:]
        func add(_ files: [String], _ inner: String) {
            for file in files {
                guard let part = Self.part(of: file, reading) else { continue }
                var group = Group(folder: inner, stem: part.stem, separator: part.separator)
                let key = group.place
                group = groups[key] ?? group
                group.pictures[part.role, default: []].append(PairListing.joined(inner, file))
                groups[key] = group
            }
        }
        add(names, ".")
        for name in names where !StoredImageFormat.hasSuffix(name) {
            add(PairLayout.visibleNames(in: PairListing.path(of: name, in: folder)), name)
        }
        self.groups = groups.values.sorted { $0.place.utf8.lexicographicallyPrecedes($1.place.utf8) }
    }

    /// Whether a folder with these names holds a source of this kind, or a folder in it does.
    static func areThere(in folder: URL, _ names: [String], _ reading: PairReading) -> Bool {
        func hasSource(_ names: [String]) -> Bool { names.contains { part(of: $0, reading)?.role == .source } }
        return hasSource(names)
            || names.contains { hasSource(PairLayout.visibleNames(in: PairListing.path(of: $0, in: folder))) }
    }

    /// The stem and the role of a picture's name, such as `cat.source.png`; nil for other names.
    private static func part(
        of file: String, _ reading: PairReading
    ) -> (stem: String, separator: Character?, role: PairRole)? {
        guard StoredImageFormat.hasSuffix(file) else { return nil }
        let name = (file as NSString).deletingPathExtension
        for role in [PairRole.source, .target, .mask] {
            if role.isNamed(name, reading) { return ("", nil, role) }
            // The dataset's own name may hold a separator itself.
            for place in name.indices.reversed() where "._- ".contains(name[place]) && place > name.startIndex {
                if role.isNamed(String(name[name.index(after: place)...]), reading) {
                    return (String(name[..<place]), name[place], role)
                }
            }
        }
        return nil
    }
}

extension PairListing {
    /// Reads pictures that say by their names what they are.
    mutating func readNames() {
        for group in PairNames(in: folder, reading).groups {
            do throws(FileError) {
                entries.append(try entry(group))
            } catch {
                faults.append(error)
            }
        }
    }

    private mutating func entry(_ group: PairNames.Group) throws(FileError) -> Entry {
        func one(_ role: PairRole) throws(FileError) -> String? {
            let found = group.pictures[role] ?? []
            guard found.count < 2 else {
                throw FileError(
                    path, key: group.place, expected: "one \(role.rawValue)", found: found.joined(separator: " and "))
            }
            return found.first
        }
        let (source, target, mask) = (try one(.source), try one(.target), try one(.mask))
        func missing(_ role: PairRole) -> FileError {
            let name = (group.separator.map { group.stem + String($0) } ?? "") + reading.name(of: role.rawValue)
            return FileError(
                path, key: group.place,
                expected: "a \(role.rawValue) '\(Self.joined(group.folder, name))' (\(Self.endings))",
                found: "none beside '\((source ?? target ?? mask)!)'")
        }
        guard let source else { throw missing(.source) }
        var (record, object) = try words(of: group)
        if target == nil, purpose == .training {
            untargeted += 1
            throw missing(.target)
        }
        (record.source, record.target) = (source, target ?? "")
        func file(_ name: String) -> PairFile { .path(Self.path(of: name, in: folder)) }
        return Entry(
            record: record, source: file(source), target: target.map(file),
            mask: purpose == .evaluation ? mask.map(file) : nil, list: path, place: group.place,
            name: EvaluationName(object, otherwise: group.place))
    }

    /// What is written for a pair, in a text or in JSON with the keys of a list.
    private func words(of group: PairNames.Group) throws(FileError) -> (record: PairRecord, object: [String: JSONValue])
    {
        let own = reading.columns["instruction"].map { [$0] } ?? ["instruction", "prompt", "caption", "text"]
        let pictures = PairRole.allCases.flatMap { group.pictures[$0] ?? [] }.prefix(2)
        let texts =
            (group.stem.isEmpty ? [] : [Self.joined(group.folder, group.stem)])
            + own.map { word in
                Self.joined(group.folder, (group.separator.map { group.stem + String($0) } ?? "") + word)
            } + pictures.reversed().map { ($0 as NSString).deletingPathExtension }
        if let caption = try PairCaption(firstOf: texts.map { $0 + ".txt" }, in: folder) {
            return (caption.record(source: "", target: ""), [:])
        }
        let json = Self.joined(group.folder, group.stem.isEmpty ? "instruction" : group.stem) + ".json"
        let jsonPath = Self.path(of: json, in: folder)
        guard FileManager.default.fileExists(atPath: jsonPath) else {
            throw FileError(
                path, key: group.place, expected: "an instruction in '\(texts[0]).txt'", found: "no such file")
        }
        let text = try TextFile(contentsOf: jsonPath, expected: "a JSON object").text
        let object = try Self.object(text, jsonPath, group.place)
        return (try Self.record(object, jsonPath, group.place, purpose, reading, pictures: false), object)
    }
}
