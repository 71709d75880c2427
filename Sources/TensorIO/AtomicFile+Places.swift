#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

extension AtomicFile {
    /// Links that are followed at most, as the system does.
    private static let linkLimit = 40

    /// The file that is written when `path` is: itself, or where symbolic links lead from there, also when nothing lies
    /// there yet. Throws ``FileError`` for links that lead in a circle.
    static func destination(of path: String) throws(FileError) -> String {
        if let buffer = realpath(path, nil) {
            defer { free(buffer) }
            return String(cString: buffer)
        }
        guard errno == ENOENT else {
            if errno == ELOOP {
                throw FileError(path, expected: "a link that leads to a file", found: systemMessage(ELOOP))
            }
            return path
        }
        var place = path
        for _ in 0..<linkLimit {
            guard let target = target(ofLink: place) else { return place }
            place = target.hasPrefix("/") ? target : split(place).folder + "/" + target
        }
        throw FileError(path, expected: "a link that leads to a file", found: systemMessage(ELOOP))
    }

    /// Where a symbolic link leads; nil for anything else.
    private static func target(ofLink path: String) -> String? {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(PATH_MAX)) { buffer in
            guard let start = buffer.baseAddress else { return nil }
            let count = readlink(path, start, buffer.count)
            guard count > 0, count < buffer.count else { return nil }
            return String(decoding: buffer.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }
    }

    /// The folder of a path, and the name in it.
    static func split(_ path: String) -> (folder: String, name: String) {
        guard let slash = path.lastIndex(of: "/") else { return (".", path) }
        let folder = String(path[..<slash])
        return (folder.isEmpty ? "/" : folder, String(path[path.index(after: slash)...]))
    }
}
