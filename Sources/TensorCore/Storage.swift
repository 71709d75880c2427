/// A run of bytes that tensors view: owned and aligned to 64 bytes, or lent by something else such as a mapped file.
///
/// Storage is shared by every view of a tensor. Its bytes change only through ``Tensor``'s explicitly mutating
/// operations, which the one owner of a value (an optimizer, say) calls while nobody reads it; that is what makes it
/// sendable.
public final class Storage: @unchecked Sendable {
    /// The first byte.
    package let base: UnsafeMutableRawPointer
    /// The length in bytes.
    public let byteCount: Int
    /// Whether the bytes may be written; false for mapped files.
    public let isMutable: Bool
    private let owner: AnyObject?

    /// Allocates uninitialised bytes, or zeros: bytes fresh from the system are not cleared again.
    public init(byteCount: Int, isZero: Bool = false) {
        self.byteCount = byteCount
        let block = CachingAllocator.allocate(byteCount)
        base = block.base
        owner = nil
        isMutable = true
        MemoryAccount.add(byteCount)
        if isZero && !block.isZero {
            let start = block.base
            parallelFor(byteCount, grain: 1 << 20) { part in
                (start + part.lowerBound).initializeMemory(as: UInt8.self, repeating: 0, count: part.count)
            }
        }
    }

    /// Views bytes that `owner` keeps alive and that nobody writes.
    package init(lent base: UnsafeRawPointer, byteCount: Int, owner: AnyObject) {
        self.base = UnsafeMutableRawPointer(mutating: base)
        self.byteCount = byteCount
        self.owner = owner
        isMutable = false
    }

    /// Lends all bytes for reading.
    public func withUnsafeBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
        try withExtendedLifetime(self) { try body(UnsafeRawBufferPointer(start: base, count: byteCount)) }
    }

    /// Lends all bytes for writing, to backends; they must be mutable.
    public func withUnsafeMutableBytes<Result>(
        _ body: (UnsafeMutableRawBufferPointer) throws -> Result
    ) rethrows -> Result {
        precondition(isMutable, "writing into read-only storage")
        return try withExtendedLifetime(self) {
            try body(UnsafeMutableRawBufferPointer(start: base, count: byteCount))
        }
    }

    deinit {
        if owner == nil {
            CachingAllocator.deallocate(base, byteCount)
            MemoryAccount.remove(byteCount)
        }
    }
}
