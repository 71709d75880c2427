import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

extension AtomicFile {
    /// How the names of neighbours end.
    static let suffix = ".partial"

    /// What of a file's name stands in its neighbour's: at most 160 bytes, so that the rest fits beside it.
    static func stem(of name: String) -> String {
        var stem = name
        while stem.utf8.count > 160 { stem.removeLast() }
        return stem
    }

    /// Removes what killed processes left half-written in `folder`, of the files whose names `isOurs` takes; what a living
    /// process writes stays.
    public static func sweep(_ folder: String, where isOurs: (_ name: String) -> Bool) {
        for name in names(in: folder) {
            if let stem = stem(ofNeighbour: name), isOurs(stem) { removeUnlessHeld("\(folder)/\(name)") }
        }
    }

    /// The neighbours that lay in a folder when the first file was written there, by stem: a dataset of a million pictures
    /// must not list its folder a million times.
    private static let found = Mutex<[Folder: [String: [String]]]>([:])

    /// A folder as it was first seen: its number may be another's after it is gone.
    private struct Folder: Hashable {
        var path: String
        var identity: FileIdentity
    }

    /// Removes the neighbours of one name that killed processes have left.
    static func sweep(stem: String, in folder: String) {
        guard let key = FileIdentity(folder).map({ Folder(path: folder, identity: $0) }) else { return }
        let left: [String] = found.withLock { found in
            if found[key] == nil {
                var byStem: [String: [String]] = [:]
                for name in names(in: folder) {
                    if let stem = Self.stem(ofNeighbour: name) { byStem[stem, default: []].append(name) }
                }
                found[key] = byStem
            }
            return found[key]?.removeValue(forKey: stem) ?? []
        }
        for name in left { removeUnlessHeld("\(folder)/\(name)") }
    }

    /// The name of the file that `.NAME.TAG.partial` is the neighbour of; nil for other names. A tag is a number of 64 bits
    /// to the base 36.
    private static func stem(ofNeighbour name: String) -> String? {
        guard name.hasPrefix("."), name.hasSuffix(suffix) else { return nil }
        let inner = name.dropFirst().dropLast(suffix.count)
        guard let dot = inner.lastIndex(of: "."), dot != inner.startIndex else { return nil }
        let tag = inner[inner.index(after: dot)...]
        guard UInt64(tag, radix: 36) != nil, tag == tag.lowercased() else { return nil }
        return String(inner[..<dot])
    }

    /// Removes a neighbour whose writer has ended; where locks are unknown nothing tells, and it stays.
    private static func removeUnlessHeld(_ path: String) {
        let descriptor = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        if hold(descriptor) == .taken { unlink(path) }
    }

    /// Linux's `F_OFD_SETLK`, which the C library's headers keep from Swift.
    private static let setLockOfFile: CInt = 37

    /// How an attempt to hold a neighbour ended.
    enum Holding { case taken, another, unknown }

    /// Holds an open neighbour until it is closed. A lock of the open file (`F_OFD_SETLK`), since HDF5 has a use of its own
    /// for `flock`.
    static func hold(_ descriptor: CInt) -> Holding {
        var lock = flock()
        lock.l_type = Int16(F_WRLCK)
        lock.l_whence = Int16(SEEK_SET)
        if fcntl(descriptor, setLockOfFile, &lock) == 0 { return .taken }
        return errno == EAGAIN || errno == EACCES ? .another : .unknown
    }

    private static func names(in folder: String) -> [String] {
        guard let stream = opendir(folder) else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            // Most names of a large folder are none of ours.
            guard entry.pointee.d_name.0 == CChar(UInt8(ascii: ".")) else { continue }
            names.append(
                withUnsafePointer(to: &entry.pointee.d_name) {
                    $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
                })
        }
        return names
    }
}
