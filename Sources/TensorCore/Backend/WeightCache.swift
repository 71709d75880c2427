import Synchronization

/// What a backend keeps of a frozen weight between calls, in the form that it reads fastest.
///
/// Whoever owns the weight owns this, and clears it when the weight changes. Only the backend makes and reads the
/// content, and results never depend on it. A cache that another backend filled is filled anew.
public final class WeightCache: Sendable {
    private let content = Mutex<(any AnyObject & Sendable)?>(nil)

    /// Nothing yet.
    public init() {}

    /// Forgets what was kept.
    public func clear() { content.withLock { $0 = nil } }

    /// The content, for backends alone: what was kept if it is a `Content`, otherwise what `make` gives, kept from now on.
    /// `make` must not use this cache.
    public func content<Content: AnyObject & Sendable>(_ make: () -> Content) -> Content {
        content.withLock { kept in
            if let known = kept as? Content { return known }
            let made = make()
            kept = made
            return made
        }
    }
}
