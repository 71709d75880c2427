#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Reads a file as a whole: what is decoded from memory cannot be pulled away by a file that changes meanwhile, as a
/// mapping could.
///
/// A pipe or a device is read only where `allowsPipes` says so. Throws ``FileError``, with `expected` and what was found:
/// no such file, a folder, more than `maximumByteCount` bytes, or the system's words.
package func readWholeFile(
    _ path: String, expected: String, maximumByteCount: Int = 1 << 31, allowsPipes: Bool = false
) throws(FileError) -> [UInt8] {
    func fault(_ found: String) -> FileError { FileError(path, expected: expected, found: found) }
    func systemFault(_ code: Int32) -> FileError {
        fault(code == ENOENT || code == ENOTDIR ? "no such file" : String(cString: strerror(code)))
    }
    let tooLarge = "more than \(maximumByteCount) bytes"
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | (allowsPipes ? 0 : O_NONBLOCK))
    guard descriptor >= 0 else { throw systemFault(errno) }
    defer { close(descriptor) }
    var info = stat()
    guard fstat(descriptor, &info) == 0 else { throw systemFault(errno) }
    let kind = info.st_mode & S_IFMT
    guard kind != S_IFDIR else { throw fault("a folder") }
    guard kind == S_IFREG || allowsPipes else { throw fault("a device or pipe") }
    let size = kind == S_IFREG ? Int(info.st_size) : 0
    guard size <= maximumByteCount else { throw fault("\(size) bytes (at most \(maximumByteCount))") }
    var bytes: [UInt8] = []
    // One byte more than the size tells the end without another growth; files of /proc say that they have none.
    var capacity = size + 1
    while true {
        var failure: Int32 = 0
        let room = capacity
        let piece = [UInt8](unsafeUninitializedCapacity: room) { buffer, count in
            while count < room {
                let got = read(descriptor, buffer.baseAddress! + count, room - count)
                if got < 0 && errno == EINTR { continue }
                if got < 0 { failure = errno }
                if got <= 0 { break }
                count += got
            }
        }
        guard failure == 0 else { throw systemFault(failure) }
        bytes = bytes.isEmpty ? piece : bytes + piece
        guard bytes.count <= maximumByteCount else { throw fault(tooLarge) }
        if piece.count < room { return bytes }
        capacity = max(1 << 16, bytes.count)
    }
}
