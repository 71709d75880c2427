import CKernels
import Glibc
import Synchronization

/// The caching allocator of storages: blocks that were freed are reused.
///
/// A training step asks for the same sizes over and over; fresh pages each time would cost more than many of its
/// kernels, since the system clears every page before it hands it over. Blocks come in size classes, eight to each
/// power of two, so that at most an eighth of a request is wasted. What is cached is bounded twice: together with what is
/// in use it stays within the peak of use and an eighth of what was allocated and freed since (weights that stay add
/// nothing), or a fixed amount while little is in use, and by itself within
/// ``MemoryAccount/keptLimit``. The least recently used are evicted first, and those that were not reused for long. The
/// pages of a block that is evicted for another are moved into that one.
///
/// Huge pages were tried for the large blocks and gained nothing.
enum CachingAllocator {
    /// A free block that is cached.
    private struct FreeBlock: @unchecked Sendable {
        var base: UnsafeMutableRawPointer
        var size: SizeClass
        /// How many requests there were when it was freed.
        var time: Int
    }

    private struct State: Sendable {
        /// One stack a class, oldest at the bottom: the newest block is the likeliest to be in the cache.
        var stacks: [[FreeBlock]] = Array(repeating: [], count: SizeClass.count)
        var usedBytes = 0
        var keptBytes = 0
        var mostUsedBytes = 0
        /// The least in use since it was the most.
        var leastUsedBytes = 0
        var requests = 0
        var limit = Int.max
        var total = Int.max

        /// The most bytes that may be in use and kept together.
        var allowed: Int {
            let slack = mostUsedBytes < largePeak ? smallSlack : 0
            return min(total, mostUsedBytes + max((mostUsedBytes - leastUsedBytes) / 8, slack))
        }
    }

    private static let state = Mutex(State())
    /// What may be kept beside a small peak in any case: the short steps of a small model feel every fresh page, and most
    /// of their blocks are too small to give each other pages.
    private static let smallSlack = 64 << 20
    private static let largePeak = 1 << 30
    /// A cached block leaves after so many requests: several training steps of a large model.
    private static let maximumAge = 1 << 16

    /// Bytes of cached blocks.
    static var keptBytes: Int { state.withLock { $0.keptBytes } }

    /// The most bytes that may be cached.
    static var limit: Int {
        get { state.withLock { $0.limit } }
        set {
            release(
                state.withLock {
                    $0.limit = newValue
                    return evict(&$0)
                })
        }
    }

    /// The most bytes that may be in use and cached together.
    static var total: Int {
        get { state.withLock { $0.total } }
        set {
            release(
                state.withLock {
                    $0.total = newValue
                    return evict(&$0)
                })
        }
    }

    /// A block of at least `byteCount` bytes, aligned to 64 bytes, or to pages from ``SizeClass/mappedFrom`` on, and
    /// whether all of its bytes are known to be zero.
    static func allocate(_ byteCount: Int) -> (base: UnsafeMutableRawPointer, isZero: Bool) {
        let size = SizeClass(holding: byteCount)
        let (kept, evicted) = state.withLock { state in
            state.requests += 1
            state.usedBytes += size.byteCount
            if state.usedBytes > state.mostUsedBytes {
                (state.mostUsedBytes, state.leastUsedBytes) = (state.usedBytes, state.usedBytes)
            }
            let kept = state.stacks[size.index].popLast()
            if kept != nil { state.keptBytes -= size.byteCount }
            // A fresh block comes on top of what is kept, which must make room for it then.
            return (kept, evict(&state))
        }
        if let kept {
            release(evicted)
            return (kept.base, false)
        }
        let base = size.allocate()
        let isMoved = move(evicted, to: base, size)
        return (base, size.isMapped && !isMoved)
    }

    /// Moves the pages of evicted blocks into the fresh block that they made room for; what is left of the last stays cached as
    /// a smaller block.
    private static func move(_ evicted: [FreeBlock], to base: UnsafeMutableRawPointer, _ size: SizeClass) -> Bool {
        var filled = 0
        for block in evicted {
            let length = block.size.byteCount
            let isMovable = size.isMovable && block.size.isMovable
            let wanted = isMovable ? min(length, size.byteCount - filled) : 0
            let moved = diptych_move_pages(block.base, base + filled, wanted, SizeClass.pieceLength)
            filled += moved
            if moved == 0 {
                release([block])
            } else if moved < length {
                let (rest, left) = (block.base + moved, length - moved)
                let smaller = SizeClass(within: left)
                let keptLength = smaller.isMovable ? smaller.byteCount : 0
                if keptLength < left { munmap(rest + keptLength, left - keptLength) }
                if keptLength > 0 { keep(FreeBlock(base: rest, size: smaller, time: block.time)) }
            }
        }
        return filled > 0
    }

    /// Caches a block again that was to be evicted.
    private static func keep(_ block: FreeBlock) {
        state.withLock { state in
            state.keptBytes += block.size.byteCount
            let stack = state.stacks[block.size.index]
            let place = stack.firstIndex { $0.time > block.time } ?? stack.count
            state.stacks[block.size.index].insert(block, at: place)
        }
    }

    /// Frees a block that ``allocate(_:)`` gave for as many bytes.
    static func deallocate(_ base: UnsafeMutableRawPointer, _ byteCount: Int) {
        let block = FreeBlock(base: base, size: SizeClass(holding: byteCount), time: 0)
        release(
            state.withLock { state in
                var block = block
                block.time = state.requests
                state.usedBytes -= block.size.byteCount
                state.leastUsedBytes = min(state.leastUsedBytes, state.usedBytes)
                state.keptBytes += block.size.byteCount
                state.stacks[block.size.index].append(block)
                return evict(&state)
            })
    }

    /// Returns all cached blocks to the system.
    static func trim() {
        release(
            state.withLock { state in
                let limit = state.limit
                defer { state.limit = limit }
                state.limit = 0
                return evict(&state)
            })
    }

    /// Removes the blocks that exceed the limits or the age; the caller returns them to the system.
    private static func evict(_ state: inout State) -> [FreeBlock] {
        let room = min(state.limit, state.allowed - state.usedBytes)
        let isTimeToLook = state.requests % 1024 == 0
        if state.keptBytes <= max(room, 0) && !isTimeToLook { return [] }
        var result: [FreeBlock] = []
        while state.keptBytes > 0 {
            var oldest = (time: Int.max, index: -1)
            for (index, stack) in state.stacks.enumerated() {
                if let bottom = stack.first, bottom.time < oldest.time { oldest = (bottom.time, index) }
            }
            let isTooMuch = state.keptBytes > max(room, 0)
            guard isTooMuch || oldest.time < state.requests - maximumAge else { break }
            let block = state.stacks[oldest.index].removeFirst()
            result.append(block)
            state.keptBytes -= block.size.byteCount
        }
        return result
    }

    private static func release(_ evicted: [FreeBlock]) {
        for block in evicted { block.size.deallocate(block.base) }
    }
}
