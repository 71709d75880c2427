import Synchronization

/// Counts the bytes and the blocks that tensors own at this moment, and their high-water mark.
public enum MemoryAccount {
    private static let bytes = Atomic<Int>(0)
    private static let blocks = Atomic<Int>(0)
    private static let highWater = Atomic<Int>(0)

    /// Bytes owned by living storages (mapped files do not count).
    public static var currentBytes: Int { bytes.load(ordering: .relaxed) }

    /// Number of living storages.
    public static var currentBlocks: Int { blocks.load(ordering: .relaxed) }

    /// The most bytes ever owned since the start or the last ``resetPeak()``.
    public static var peakBytes: Int { highWater.load(ordering: .relaxed) }

    /// Begins a new phase: the high-water mark falls to what is owned now.
    public static func resetPeak() { highWater.store(currentBytes, ordering: .relaxed) }

    static func add(_ byteCount: Int) {
        let now = bytes.wrappingAdd(byteCount, ordering: .relaxed).newValue
        blocks.wrappingAdd(1, ordering: .relaxed)
        _ = highWater.max(now, ordering: .relaxed)
    }

    static func remove(_ byteCount: Int) {
        bytes.wrappingSubtract(byteCount, ordering: .relaxed)
        blocks.wrappingSubtract(1, ordering: .relaxed)
    }
}
