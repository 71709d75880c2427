import Glibc

/// Bytes of a mapped file, for whoever knows when they will be read and when not again.
package struct MappedRange: Sendable {
    /// The pages that hold the bytes, from the first byte of the first on.
    private let start: UInt
    /// A multiple of the size of a page.
    package let byteCount: Int
    /// Keeps the mapping.
    private let storage: Storage

    private static let pageSize = UInt(sysconf(Int32(_SC_PAGESIZE)))

    init(_ storage: Storage, offset: Int, byteCount: Int) {
        let first = UInt(bitPattern: storage.base + offset)
        start = first / Self.pageSize * Self.pageSize
        let end = (first + UInt(byteCount) + Self.pageSize - 1) / Self.pageSize * Self.pageSize
        self.byteCount = Int(end - start)
        self.storage = storage
    }

    /// Asks the system to read the pages into its cache; returns when it has begun to.
    package func prefetch() {
        // Linux reads no more than its read-ahead window for one request, however long it is.
        let piece = 128 << 10
        for offset in stride(from: 0, to: byteCount, by: piece) {
            advise(MADV_WILLNEED, offset, min(piece, byteCount - offset))
        }
    }

    /// Takes the pages out of this process. Their contents are the file's: a later touch reads them again, from the
    /// system's cache where they are still there.
    package func release() { advise(MADV_DONTNEED, 0, byteCount) }

    private func advise(_ advice: Int32, _ offset: Int, _ count: Int) {
        // Advice that the system does not take changes nothing but the time.
        _ = madvise(UnsafeMutableRawPointer(bitPattern: start + UInt(offset)), count, advice)
    }
}

extension StoredTensor {
    /// The bytes in the mapped file; nil for numbers that the process owns.
    package var mappedRange: MappedRange? {
        switch self {
        case .plain(let tensor):
            guard !tensor.storage.isMutable, tensor.isContiguous, tensor.count > 0 else { return nil }
            let size = tensor.dtype.byteCount
            return MappedRange(tensor.storage, offset: tensor.offset * size, byteCount: tensor.count * size)
        case .quantized(let tensor):
            guard !tensor.storage.isMutable, tensor.byteCount > 0 else { return nil }
            return MappedRange(tensor.storage, offset: tensor.byteOffset, byteCount: tensor.byteCount)
        }
    }

    /// The bytes that the process owns for it.
    package var ownedByteCount: Int {
        switch self {
        case .plain(let tensor): tensor.storage.isMutable ? tensor.count * tensor.dtype.byteCount : 0
        case .quantized(let tensor): tensor.storage.isMutable ? tensor.byteCount : 0
        }
    }
}
