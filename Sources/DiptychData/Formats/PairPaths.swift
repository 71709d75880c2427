import Foundation
import TensorIO

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Finds the files that a dataset's list names.
///
/// A name is a path from the dataset's folder, or an absolute one. It stays inside the folder unless that is allowed;
/// links that lie in the folder are the owner's own and may lead anywhere. Systems write accents composed or
/// decomposed, and one of them parts folders by a backslash: a name that is there in another of these spellings is found.
struct PairPaths {
    /// Why a name leads to no picture.
    struct Fault: Error, Equatable {
        var expected = "a picture"
        var found: String
        var nearest: String?
    }

    private let root: String
    private let allowsOutside: Bool
    /// The folder as the system knows it, without links.
    private lazy var realRoot = Self.real(root) ?? root
    /// What lies in the folders that were searched. Texts are keys by canonical equivalence, which is what makes the two
    /// spellings of an accent one name.
    private var listings: [String: (names: [String: String], lowercased: [String: String])] = [:]

    /// Names of the dataset in `folder`.
    init(folder: URL, allowsOutside: Bool) {
        root = folder.relativePath
        self.allowsOutside = allowsOutside
    }

    /// The path of the file that `name` means.
    mutating func find(_ name: String) throws(Fault) -> String {
        guard !name.utf8.contains(0) else { throw Fault(found: "a name with a zero byte") }
        let path = path(of: name)
        guard allowsOutside || isInside(name, path) else {
            throw Fault(
                expected: "a picture inside the dataset (data.allow_outside takes others)", found: "'\(name)'")
        }
        switch Self.kind(of: path) {
        case S_IFDIR: throw Fault(found: "a folder, '\(name)'")
        case .some: return path
        case nil: break
        }
        if let other = otherSpelling(of: name), Self.kind(of: other) != S_IFDIR { return other }
        if name.contains("\\") {
            let parted = name.replacing("\\", with: "/")
            if let found = try? find(parted) { return found }
        }
        throw Fault(found: "no file '\(name)'", nearest: nearest(to: name, path))
    }

    private func path(of name: String) -> String {
        if name.hasPrefix("/") { return name }
        return root.hasSuffix("/") ? root + name : root + "/" + name
    }

    /// The kind of a file by `S_IFMT`; nil where there is none.
    private static func kind(of path: String) -> mode_t? {
        var info = stat()
        return stat(path, &info) == 0 ? info.st_mode & S_IFMT : nil
    }

    private static func real(_ path: String) -> String? {
        guard let resolved = realpath(path, nil) else { return nil }
        defer { free(resolved) }
        return String(cString: resolved)
    }

    // MARK: Inside

    /// Whether a name stays in the folder, as it is spelled or, where it says `..` or is absolute, as its folder lies.
    private mutating func isInside(_ name: String, _ path: String) -> Bool {
        let isAbsolute = name.hasPrefix("/")
        guard isAbsolute || Self.parts(name).contains("..") else { return true }
        if isAbsolute, !Self.parts(name).contains("..") {
            let start = Self.parts(root.hasPrefix("/") ? root : FileManager.default.currentDirectoryPath + "/" + root)
            if Self.parts(name).starts(with: Self.resolved(start)) { return true }
        }
        let folder = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? ""
        guard let real = Self.real(folder.isEmpty ? "/" : folder) else { return false }
        return Self.parts(real).starts(with: Self.parts(realRoot))
    }

    /// The names that slashes part, without the empty ones and those that mean the same folder.
    private static func parts(_ path: String) -> [String] {
        path.utf8.split(separator: UInt8(ascii: "/")).map { String(Substring($0)) }.filter { $0 != "." }
    }

    private static func resolved(_ parts: [String]) -> [String] {
        parts.reduce(into: []) { result, part in
            if part == ".." { _ = result.popLast() } else { result.append(part) }
        }
    }

    // MARK: Other spellings

    /// The path of a file whose name is canonically equivalent, folder by folder.
    private mutating func otherSpelling(of name: String) -> String? {
        guard !name.utf8.allSatisfy({ $0 < 0x80 }) else { return nil }
        var path = name.hasPrefix("/") ? "" : root
        for part in Self.parts(name) {
            let same = path + "/" + part
            if Self.kind(of: same) != nil {
                path = same
            } else if let spelled = listing(of: path.isEmpty ? "/" : path).names[part] {
                path += "/" + spelled
            } else {
                return nil
            }
        }
        return path
    }

    /// A file of the same folder whose name differs by capitals alone.
    private mutating func nearest(to name: String, _ path: String) -> String? {
        guard let slash = path.lastIndex(of: "/") else { return nil }
        let file = String(path[path.index(after: slash)...])
        guard let found = listing(of: String(path[..<slash])).lowercased[file.lowercased()] else { return nil }
        return String(name.dropLast(file.count)) + found
    }

    private mutating func listing(of folder: String) -> (names: [String: String], lowercased: [String: String]) {
        if let known = listings[folder] { return known }
        let names = ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).sorted()
        let made = (
            names: Dictionary(names.map { ($0, $0) }) { first, _ in first },
            lowercased: Dictionary(names.map { ($0.lowercased(), $0) }) { first, _ in first }
        )
        listings[folder] = made
        return made
    }
}

extension FileError {
    /// A name in a list that leads to no picture.
    init(_ list: String, _ place: String, _ key: String, _ fault: PairPaths.Fault) {
        self.init(
            list, key: "\(place): \(key)", expected: fault.expected, found: fault.found, nearest: fault.nearest)
    }
}
