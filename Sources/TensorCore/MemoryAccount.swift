import Synchronization

/// Counts the bytes and the blocks that tensors own at this moment, and their high-water mark; bounds what is kept for
/// the tensors to come.
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

    /// Bytes of blocks that were given back and wait for tensors of their size; in the process's memory, in no tensor.
    public static var keptBytes: Int { CachingAllocator.keptBytes }

    /// The most bytes that may wait. Whatever it is, together with what is in use they never exceed the most that was ever
    /// in use and an eighth of what has come and gone since or, while that is below a gigabyte, 64 MiB where that is more.
    public static var keptLimit: Int {
        get { CachingAllocator.limit }
        set {
            precondition(newValue >= 0, "keeping \(newValue) bytes")
            CachingAllocator.limit = newValue
        }
    }

    /// The most bytes that tensors and waiting blocks may take together, if they are bounded. Waiting blocks leave before it
    /// is passed; what is in use is up to whoever plans a run.
    public static var ownedLimit: Int? {
        get { CachingAllocator.total == .max ? nil : CachingAllocator.total }
        set {
            precondition(newValue ?? 0 >= 0, "a limit of \(newValue ?? 0) bytes")
            CachingAllocator.total = newValue ?? .max
        }
    }

    /// Gives all waiting blocks back to the system: between phases that ask for other sizes.
    public static func trim() { CachingAllocator.trim() }

    /// The peak of `body` alone; ``peakBytes`` goes on as if it had not been asked for.
    public static func measuringPeak<Result>(_ body: () throws -> Result) rethrows -> (result: Result, peak: Int) {
        let before = peakBytes
        resetPeak()
        defer { _ = highWater.max(before, ordering: .relaxed) }
        let result = try body()
        return (result, peakBytes)
    }

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
