#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A folder that this process alone writes to, until the lock is dropped or the process ends, in whatever way.
///
/// ```swift
/// let lock = try FolderLock("run", expected: "a run that no other process trains", found: "one in training")
/// ```
///
/// It holds an advisory lock (`flock`) on the folder itself: readers, and programs that do not ask, are not kept out. File
/// systems that know no locks are trusted.
public final class FolderLock: Sendable {
    /// The folder.
    public let folder: String
    private let descriptor: CInt
    private let made: [String]

    /// Takes a folder, which is made when it is missing, and removed again when it is still empty at the end.
    ///
    /// Throws ``FileError`` with `expected` and `found` when another process, or another lock of this one, has it, and when
    /// the folder cannot be made or opened.
    public init(_ folder: String, expected: String, found: String) throws(FileError) {
        self.folder = folder
        var made: [String] = []
        while true {
            made += try createFolder(folder)
            let opened = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
            guard opened >= 0 else {
                // Another process took it away between the two.
                if errno == ENOENT { continue }
                throw FileError(folder, expected: "a folder that can be opened", found: systemMessage(errno))
            }
            guard Self.take(opened) else {
                close(opened)
                throw FileError(folder, expected: expected, found: found)
            }
            // Whoever had it before may have removed it, and a third have made another.
            if let own = FileIdentity(descriptor: opened), own == FileIdentity(folder) {
                descriptor = opened
                break
            }
            close(opened)
        }
        self.made = made
    }

    /// Takes the lock, or gives false when somebody else keeps it for a second.
    ///
    /// A process that forks has copies of its locks in the child until the child closes them (`hdf5_probe.c`): a lock that
    /// its owner has dropped may last a moment longer.
    private static func take(_ descriptor: CInt) -> Bool {
        for attempt in 0..<50 {
            if flock(descriptor, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK { return true }
            if attempt < 49 { usleep(20_000) }
        }
        return false
    }

    deinit {
        // Only empty ones go; a process that waits for the lock looks again.
        for folder in made.reversed() { rmdir(folder) }
        close(descriptor)
    }
}
