#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// What tells a file or a folder from others, however it is spelled: its device and its number there.
///
/// Links and the ways to spell a path lead to one identity.
public struct FileIdentity: Hashable, Sendable {
    private let device: UInt64
    private let number: UInt64
    /// Whether it is a folder.
    public let isFolder: Bool

    /// That of what lies at `path`, behind symbolic links; nil when nothing does.
    public init?(_ path: String) {
        var info = stat()
        guard stat(path.isEmpty ? "." : path, &info) == 0 else { return nil }
        self.init(info)
    }

    /// That of an open file.
    init?(descriptor: CInt) {
        var info = stat()
        guard fstat(descriptor, &info) == 0 else { return nil }
        self.init(info)
    }

    private init(_ info: stat) {
        device = UInt64(truncatingIfNeeded: info.st_dev)
        number = UInt64(truncatingIfNeeded: info.st_ino)
        isFolder = info.st_mode & S_IFMT == S_IFDIR
    }
}
