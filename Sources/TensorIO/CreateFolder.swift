#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Creates a folder and those around it that are missing; one that is there already is left as it is.
///
/// Gives those that it made, the outermost first. Throws ``FileError`` with the system's reason when it cannot be.
@discardableResult
public func createFolder(_ path: String) throws(FileError) -> [String] {
    var made: [String] = []
    var end = path.startIndex
    while end != path.endIndex {
        end = path[end...].dropFirst().firstIndex(of: "/") ?? path.endIndex
        let part = String(path[..<end])
        if mkdir(part, 0o777) == 0 {
            made.append(part)
            continue
        }
        let code = errno
        var info = stat()
        guard stat(part, &info) == 0, info.st_mode & S_IFMT == S_IFDIR else {
            throw FileError(path, expected: "a folder that can be created", found: systemMessage(code))
        }
    }
    return made
}
