import Glibc

/// A file mapped read-only into memory; its pages are read when first touched.
public final class MappedFile: @unchecked Sendable {
    /// Where the file lies.
    public let path: String
    /// The length of the file in bytes.
    public let byteCount: Int
    package let base: UnsafeRawPointer

    /// Why a file could not be mapped.
    public struct Failure: Error, CustomStringConvertible {
        /// The file.
        public let path: String
        /// The system's words for what went wrong.
        public let reason: String
        /// `path: reason`.
        public var description: String { "\(path): \(reason)" }
    }

    /// Maps the file at `path`. Throws ``Failure`` when it cannot be opened or is not a regular file.
    public init(path: String) throws(Failure) {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw Failure(path: path, reason: String(cString: strerror(errno))) }
        defer { close(descriptor) }
        var info = stat()
        guard fstat(descriptor, &info) == 0 else {
            throw Failure(path: path, reason: String(cString: strerror(errno)))
        }
        guard info.st_mode & S_IFMT == S_IFREG else {
            throw Failure(path: path, reason: info.st_mode & S_IFMT == S_IFDIR ? "a folder" : "a device or pipe")
        }
        self.path = path
        byteCount = Int(info.st_size)
        if byteCount == 0 {
            base = UnsafeRawPointer(UnsafeMutableRawPointer.allocate(byteCount: 1, alignment: 64))
        } else {
            let address = mmap(nil, byteCount, PROT_READ, MAP_PRIVATE, descriptor, 0)
            guard let address, address != MAP_FAILED else {
                throw Failure(path: path, reason: String(cString: strerror(errno)))
            }
            base = UnsafeRawPointer(address)
        }
    }

    deinit {
        if byteCount == 0 {
            base.deallocate()
        } else {
            munmap(UnsafeMutableRawPointer(mutating: base), byteCount)
        }
    }

    /// All bytes of the file.
    public var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: base, count: byteCount) }

    /// A tensor that views `shape.count` elements from `byteOffset` on without copying, where the alignment allows it
    /// and as an owned copy where it does not.
    public func tensor(dtype: DType, shape: Shape, byteOffset: Int) -> Tensor {
        let length = shape.count * dtype.byteCount
        precondition(byteOffset >= 0 && byteOffset + length <= byteCount, "view outside \(path)")
        let start = base + byteOffset
        if Int(bitPattern: start) % dtype.byteCount == 0 {
            return Tensor(storage: Storage(lent: start, byteCount: length, owner: self), dtype: dtype, shape: shape)
        }
        let copy = Storage(byteCount: length)
        copy.base.copyMemory(from: start, byteCount: length)
        return Tensor(storage: copy, dtype: dtype, shape: shape)
    }
}
