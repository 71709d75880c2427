#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A file that appears under its name whole or not at all.
///
/// Bytes go to a hidden neighbour, `.NAME.….partial`. ``commit()`` forces them to the disk and renames the neighbour over
/// `path`; until then, and after any fault, whatever lay at `path` is untouched. A file that is dropped without
/// ``commit()`` removes its neighbour. The neighbour of a process that was killed is removed by the next one that writes
/// the same file; a lock on it tells the dead from the living.
///
///     try AtomicFile.write(to: "losses.jsonl") { try $0.write(Array(text.utf8)) }
///
/// Libraries that insist on opening files themselves write to ``temporaryPath``.
public final class AtomicFile {
    /// Where the file appears when it is whole.
    public let path: String
    /// Where the bytes are collected until then.
    public let temporaryPath: String
    /// How many bytes ``write(_:)-(UnsafeRawBufferPointer)`` has taken.
    public private(set) var byteCount = 0
    private let destination: String
    private let descriptor: CInt
    private var isOpen = true

    /// Creates the empty neighbour of `path`.
    ///
    /// A symbolic link at `path` is followed, also one that leads to nothing yet, and the permissions of a file that is
    /// replaced are kept. Throws ``FileError`` when the folder is missing or cannot be written, or when `path` is something other than a file.
    public init(replacing path: String) throws {
        self.path = path
        guard !path.isEmpty, !path.utf8.contains(0) else {
            throw FileError(printable(path), expected: "a file name", found: path.isEmpty ? "nothing" : "a zero byte")
        }
        var info = stat()
        var mode: mode_t?
        if stat(path, &info) == 0 {
            guard info.st_mode & S_IFMT == S_IFREG else {
                let isFolder = info.st_mode & S_IFMT == S_IFDIR
                throw FileError(
                    path, expected: "a regular file to write", found: isFolder ? "a folder" : "a device or pipe")
            }
            mode = info.st_mode & 0o7777
        }
        destination = try Self.destination(of: path)
        let (folder, name) = Self.split(destination)
        guard !name.isEmpty else { throw FileError(path, expected: "a file name", found: "a folder's name") }
        let stem = Self.stem(of: name)
        Self.sweep(stem: stem, in: folder)
        var attempt = 0
        while true {
            attempt += 1
            let tag = String(UInt64.random(in: .min ... .max), radix: 36)
            let candidate = "\(folder)/.\(stem).\(tag)\(Self.suffix)"
            let opened = open(candidate, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
            if opened >= 0 {
                // Says that this process lives. One that sweeps may have come before the lock: then the name is gone.
                if Self.hold(opened) == .another || FileIdentity(candidate) == nil, attempt < 16 {
                    close(opened)
                    continue
                }
                descriptor = opened
                temporaryPath = candidate
                break
            }
            guard errno == EEXIST, attempt < 16 else {
                throw FileError(path, expected: "a folder that can be written", found: systemMessage(errno))
            }
        }
        if let mode { fchmod(descriptor, mode) }
    }

    deinit { discard() }

    /// The open neighbour, for writers that seek; valid until ``commit()`` or ``discard()``.
    var fileDescriptor: CInt { descriptor }

    /// Runs `body` with a new file and commits what it wrote; when `body` throws, nothing has changed at `path`.
    @discardableResult
    public static func write<Result>(to path: String, body: (AtomicFile) throws -> Result) throws -> Result {
        let file = try AtomicFile(replacing: path)
        let result = try body(file)
        try file.commit()
        return result
    }

    /// Throws ``FileError`` when no file could be written at `path`: for those who would rather know before their work.
    public static func requireWritable(_ path: String) throws { try AtomicFile(replacing: path).discard() }

    /// Appends bytes. Throws ``FileError`` when they do not fit on the disk.
    public func write(_ bytes: UnsafeRawBufferPointer) throws {
        precondition(isOpen, "writing to \(path) after commit or discard")
        // Linux moves at most 2 GiB a call; smaller pieces keep the page cache's write-back even.
        let piece = 1 << 26
        var done = 0
        while done < bytes.count {
            guard let start = bytes.baseAddress else { return }
            #if canImport(Glibc)
                let written = Glibc.write(descriptor, start + done, min(bytes.count - done, piece))
            #else
                let written = Musl.write(descriptor, start + done, min(bytes.count - done, piece))
            #endif
            if written < 0 {
                if errno == EINTR { continue }
                throw writeFault(errno)
            }
            done += written
            byteCount += written
        }
    }

    /// Appends bytes. Throws ``FileError`` when they do not fit on the disk.
    public func write(_ bytes: [UInt8]) throws {
        try bytes.withUnsafeBytes { try write($0) }
    }

    /// Forces the bytes to the disk and gives the file its name. Throws ``FileError``, after which nothing has changed.
    public func commit() throws {
        precondition(isOpen, "committing \(path) after commit or discard")
        guard fsync(descriptor) == 0 else {
            let code = errno
            discard()
            throw writeFault(code)
        }
        isOpen = false
        // Renamed while it is held, or one that sweeps would take it for a dead process's.
        guard rename(temporaryPath, destination) == 0 else {
            let code = errno
            unlink(temporaryPath)
            close(descriptor)
            throw writeFault(code)
        }
        close(descriptor)
        // The new name itself lies in the folder. Some network file systems cannot sync a folder; the file is whole there
        // all the same.
        let folder = open(Self.split(destination).folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        if folder >= 0 {
            fsync(folder)
            close(folder)
        }
    }

    /// Removes what was written; does nothing after ``commit()``.
    public func discard() {
        guard isOpen else { return }
        isOpen = false
        unlink(temporaryPath)
        close(descriptor)
    }

    /// The fault of a write to this file that the system refused with `code`.
    func writeFault(_ code: CInt) -> FileError {
        let isFull = code == ENOSPC || code == EDQUOT || code == EFBIG
        return FileError(
            path, expected: isFull ? "room on the disk for the whole file" : "a file that can be written",
            found: systemMessage(code))
    }
}

/// The system's words for an error number.
func systemMessage(_ code: CInt) -> String { String(cString: strerror(code)) }
