import Foundation

/// What a command reads, so that nothing of it is lost to what the command writes.
///
/// ```swift
/// var inputs = InputFiles()
/// inputs.add("FLUX.1-Fill-dev", "the base", isClosed: true)
/// inputs.add("style.safetensors", "an adapter")
/// try inputs.requireApart("merged.safetensors", option: "--output")
/// ```
///
/// Files are compared by ``FileIdentity``, so that a symbolic link, a hard link or another spelling of an input is that
/// input. To be asked before any work.
public struct InputFiles: Sendable {
    private struct Input: Sendable {
        var path: String
        var role: String
        var isClosed: Bool
    }

    private var inputs: [Input] = []

    /// Nothing.
    public init() {}

    /// Adds a file, or a folder with all that lies in it and in its folders; nothing when nothing lies there. `role` says in
    /// errors what it is. Into the inner folders of a closed one, and into one with a `config.json`, no new file may come
    /// either, since what lies there is read as one model.
    public mutating func add(_ path: String, _ role: String, isClosed: Bool = false) {
        inputs.append(Input(path: path, role: role, isClosed: isClosed))
        // The shards that an index names lie beside it.
        if path.hasSuffix(".safetensors.index.json") {
            inputs.append(Input(path: AtomicFile.split(path).folder, role: role, isClosed: isClosed))
        }
    }

    /// Throws ``FileError`` when writing `output` would replace one of the inputs, or put a file into a closed folder.
    /// `option` is what the command line calls the output.
    public func requireApart(_ output: String, option: String) throws(FileError) {
        let destination = try AtomicFile.destination(of: output)
        func fault(_ found: String) -> FileError {
            FileError(output, key: option, expected: "another file than what is read", found: found)
        }
        guard let identity = FileIdentity(destination) else {
            guard let folder = FileIdentity(AtomicFile.split(destination).folder) else { return }
            for input in inputs where input.isClosed {
                if let place = Self.search(input.path, among: .innerFolders, for: folder) {
                    throw fault("a new file among those of \(input.role) (\(place))")
                }
            }
            return
        }
        for input in inputs {
            if let place = Self.search(input.path, among: .files, for: identity) {
                throw fault(input.role + (place == output ? "" : " (\(place))"))
            }
        }
    }

    /// Throws ``FileError`` when two outputs are one file.
    public static func requireDistinct(
        _ first: String, _ second: String, option: String, otherOption: String
    ) throws(FileError) {
        let (one, other) = (try AtomicFile.destination(of: first), try AtomicFile.destination(of: second))
        let isSame: Bool
        if let identity = FileIdentity(one) {
            isSame = identity == FileIdentity(other)
        } else {
            let (a, b) = (AtomicFile.split(one), AtomicFile.split(other))
            isSame = a.name == b.name && FileIdentity(a.folder) == FileIdentity(b.folder)
        }
        guard !isSame else {
            throw FileError(
                second, key: option, expected: "another file than \(otherOption)", found: "the same file twice")
        }
    }

    // MARK: Searching

    private enum Kind { case files, innerFolders }

    /// The path below `path`, or itself, that has the identity.
    private static func search(_ path: String, among kind: Kind, for identity: FileIdentity) -> String? {
        guard let own = FileIdentity(path) else { return nil }
        if kind == .files, own == identity { return path }
        guard own.isFolder else { return nil }
        if kind == .innerFolders, own == identity, FileIdentity(path + "/config.json") != nil { return path }
        var (folders, seen) = ([path], Set([own]))
        while let folder = folders.popLast() {
            for name in ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).sorted() {
                let place = folder.hasSuffix("/") ? folder + name : folder + "/" + name
                guard let found = FileIdentity(place) else { continue }
                if found == identity, found.isFolder == (kind == .innerFolders) { return place }
                // Links can lead a folder into itself.
                if found.isFolder, seen.insert(found).inserted { folders.append(place) }
            }
        }
        return nil
    }
}
