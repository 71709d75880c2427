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

    /// Allocates uninitialised bytes.
    public init(byteCount: Int) {
        self.byteCount = byteCount
        base = UnsafeMutableRawPointer.allocate(byteCount: max(byteCount, 1), alignment: 64)
        owner = nil
        isMutable = true
        MemoryAccount.add(byteCount)
    }

    /// Views bytes that `owner` keeps alive and that nobody writes.
    package init(lent base: UnsafeRawPointer, byteCount: Int, owner: AnyObject) {
        self.base = UnsafeMutableRawPointer(mutating: base)
        self.byteCount = byteCount
        self.owner = owner
        isMutable = false
    }

    deinit {
        if owner == nil {
            base.deallocate()
            MemoryAccount.remove(byteCount)
        }
    }
}
