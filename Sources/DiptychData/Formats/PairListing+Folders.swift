import Foundation
import InContextEdit
import TensorIO

/// A folder of sources and a folder of targets whose pictures have the same names, with an instruction for each in a
/// `.txt` of that name: the layout of ai-toolkit (`folder_path` and `control_path`), musubi-tuner (`control_directory`) and
/// SimpleTuner (`conditioning_data`).
///
///     edited-images/cat.png         the target
///     edited-images/cat.txt         its instruction
///     reference-images/cat.jpg      the source
struct PairFolders: Sendable {
    /// The folders' names inside the dataset's; `.` is that itself.
    let source: String
    /// Nil where there are only sources.
    let target: String?
    let instruction: String?
    let mask: String?

    /// Tells the folders of a dataset by their names; nil when it has none for sources, or neither targets nor instructions.
    ///
    /// Throws `FileError` when several can be meant.
    init?(in folder: URL, _ names: [String], _ reading: PairReading) throws(FileError) {
        let folders = names.filter { Self.isFolder(PairListing.path(of: $0, in: folder)) }
        let path = folder.relativePath
        func one(_ role: PairRole) throws(FileError) -> String? {
            if let own = reading.columns[role.rawValue] {
                guard own != "." else { return own }
                guard Self.isFolder(PairListing.path(of: own, in: folder)) else { return nil }
                guard !own.hasPrefix("/"), !own.split(separator: "/").contains("..") else {
                    throw FileError(
                        path, key: "column \(role.rawValue)", expected: "a folder inside the dataset", found: "'\(own)'"
                    )
                }
                return own
            }
            let found = folders.filter { role.isNamed(folder: $0, reading) }
            guard found.count < 2 else {
                throw FileError(
                    path, expected: "one folder of \(role.rawValue)s",
                    found: found.map { "'\($0)'" }.joined(separator: ", ")
                        + " (the column \(role.rawValue)=\(found[0]) would choose)")
            }
            return found.first
        }
        guard let source = try one(.source) else { return nil }
        self.source = source
        instruction = try one(.instruction)
        mask = try one(.mask)
        let hasPictures = names.contains { StoredImageFormat.hasSuffix($0) }
        target = try one(.target) ?? (hasPictures ? "." : nil)
        if target == nil, instruction == nil, !Self.hasTexts(PairListing.path(of: source, in: folder)) { return nil }
    }

    private static func isFolder(_ path: String) -> Bool {
        var isFolder: ObjCBool = false
        return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) && isFolder.boolValue
    }

    private static func hasTexts(_ path: String) -> Bool {
        PairLayout.visibleNames(in: path).contains { $0.lowercased().hasSuffix(".txt") }
    }
}

extension PairListing {
    /// Reads a folder of sources and one of targets.
    mutating func readFolders(_ folders: PairFolders) {
        let sources = pictures(in: folders.source)
        let targets = folders.target.map { pictures(in: $0) } ?? [:]
        let masks = purpose == .evaluation ? folders.mask.map { pictures(in: $0) } ?? [:] : [:]
        let stems = Set(sources.keys).union(targets.keys).sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        for stem in stems {
            do throws(FileError) {
                entries.append(try entry(stem, folders, sources[stem] ?? [], targets[stem] ?? [], masks[stem] ?? []))
            } catch {
                faults.append(error)
            }
        }
    }

    private mutating func entry(
        _ stem: String, _ folders: PairFolders, _ sources: [String], _ targets: [String], _ masks: [String]
    ) throws(FileError) -> Entry {
        func one(_ names: [String], _ folder: String) throws(FileError) -> String? {
            guard names.count < 2 else {
                throw FileError(
                    path, key: stem, expected: "one picture '\(Self.joined(folder, stem))'",
                    found: names.joined(separator: " and "))
            }
            return names.first
        }
        let target = try one(targets, folders.target ?? ".")
        guard let source = try one(sources, folders.source) else {
            throw FileError(
                path, key: stem, expected: "a source '\(Self.joined(folders.source, stem))' (\(Self.endings))",
                found: "none to '\(target ?? stem)'")
        }
        let places = [folders.instruction, folders.target, folders.source, "."].compactMap(\.self)
        let caption = try PairCaption(
            firstOf: places.map { Self.joined($0, stem) + ".txt" }, in: folder)
        guard let caption else {
            throw FileError(
                path, key: stem, expected: "an instruction in '\(Self.joined(places[0], stem)).txt'",
                found: "no such file")
        }
        if target == nil, purpose == .training {
            untargeted += 1
            throw FileError(
                path, key: stem,
                expected: "a target " + (folders.target.map { "in '\($0)'" } ?? "in a folder 'target'"),
                found: "none to '\(source)'")
        }
        return Entry(
            record: caption.record(source: source, target: target ?? ""),
            source: .path(Self.path(of: source, in: folder)),
            target: target.map { .path(Self.path(of: $0, in: folder)) },
            mask: try one(masks, folders.mask ?? ".").map { .path(Self.path(of: $0, in: folder)) }, list: path,
            place: stem, name: EvaluationName([:], otherwise: stem))
    }

    /// The pictures below a folder of the dataset by their names without endings; of the dataset's own folder, those that
    /// lie in it directly.
    private func pictures(in name: String) -> [String: [String]] {
        let root = name == "." ? folder : folder.appending(path: name)
        let names: [String]
        if name == "." {
            names = PairLayout.visibleNames(in: root.relativePath)
        } else {
            names = ((try? FileManager.default.subpathsOfDirectory(atPath: root.relativePath)) ?? []).filter {
                !$0.hasPrefix(".") && !$0.contains("/.")
            }
            .sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        }
        var found: [String: [String]] = [:]
        for file in names where StoredImageFormat.hasSuffix(file) {
            found[(file as NSString).deletingPathExtension, default: []].append(Self.joined(name, file))
        }
        return found
    }

    static var endings: String { StoredImageFormat.suffixes.map { ".\($0)" }.joined(separator: ", ") }

    static func joined(_ folder: String, _ name: String) -> String { folder == "." ? name : "\(folder)/\(name)" }
}
