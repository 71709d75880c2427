import CKernels
import Glibc
import Synchronization

/// Where storages get their bytes: blocks that were given back are lent again.
///
/// A training step asks for the same sizes over and over; fresh pages each time would cost more than many of its
/// kernels, since the system clears every page before it hands it over. Blocks come in size classes, eight to each
/// power of two, so that at most an eighth of a request is wasted. What is kept is bounded twice: together with what is
/// in use it stays within the most that was ever in use and an eighth of what has come and gone since (weights that stay
/// make no room for blocks that wait), or a fixed amount while little is in use, and by itself within
/// ``MemoryAccount/keptLimit``. The longest unused leave first, and those that nobody asked for in a long while. A block
/// that leaves to make room for a larger or smaller one gives it its pages.
///
/// Huge pages were tried for the large blocks and gained nothing.
enum CachingAllocator {
    /// A block that waits for its next user; its bytes are nobody's.
    private struct Kept: @unchecked Sendable {
        var base: UnsafeMutableRawPointer
        var size: SizeClass
        /// The number of the request before which it came back.
        var time: Int
    }

    private struct State: Sendable {
        /// One stack a class, oldest at the bottom: the newest block is the likeliest to be in the cache.
        var stacks: [[Kept]] = Array(repeating: [], count: SizeClass.count)
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
    /// A block that so many requests passed by leaves: several training steps of a large model.
    private static let patience = 1 << 16

    /// Bytes that wait for their next user.
    static var keptBytes: Int { state.withLock { $0.keptBytes } }

    /// The most bytes that may wait.
    static var limit: Int {
        get { state.withLock { $0.limit } }
        set {
            release(
                state.withLock {
                    $0.limit = newValue
                    return leaving(&$0)
                })
        }
    }

    /// The most bytes that may be in use and wait together.
    static var total: Int {
        get { state.withLock { $0.total } }
        set {
            release(
                state.withLock {
                    $0.total = newValue
                    return leaving(&$0)
                })
        }
    }

    /// A block of at least `byteCount` bytes, aligned to 64 bytes, or to pages from ``SizeClass/mappedFrom`` on, and
    /// whether all of its bytes are known to be zero.
    static func take(_ byteCount: Int) -> (base: UnsafeMutableRawPointer, isZero: Bool) {
        let size = SizeClass(holding: byteCount)
        let (kept, orphans) = state.withLock { state in
            state.requests += 1
            state.usedBytes += size.byteCount
            if state.usedBytes > state.mostUsedBytes {
                (state.mostUsedBytes, state.leastUsedBytes) = (state.usedBytes, state.usedBytes)
            }
            let kept = state.stacks[size.index].popLast()
            if kept != nil { state.keptBytes -= size.byteCount }
            // A fresh block comes on top of what is kept, which must make room for it then.
            return (kept, leaving(&state))
        }
        if let kept {
            release(orphans)
            return (kept.base, false)
        }
        let base = size.allocate()
        let isMoved = move(orphans, to: base, size)
        return (base, size.isMapped && !isMoved)
    }

    /// Gives a fresh block the pages of those that leave to make room for it; what is left of the last waits on, as a
    /// smaller block.
    private static func move(_ orphans: [Kept], to base: UnsafeMutableRawPointer, _ size: SizeClass) -> Bool {
        var filled = 0
        for block in orphans {
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
                if keptLength > 0 { keep(Kept(base: rest, size: smaller, time: block.time)) }
            }
        }
        return filled > 0
    }

    /// Lets a block wait on that was about to leave.
    private static func keep(_ block: Kept) {
        state.withLock { state in
            state.keptBytes += block.size.byteCount
            let stack = state.stacks[block.size.index]
            let place = stack.firstIndex { $0.time > block.time } ?? stack.count
            state.stacks[block.size.index].insert(block, at: place)
        }
    }

    /// Takes a block back that ``take(_:)`` lent for as many bytes.
    static func give(_ base: UnsafeMutableRawPointer, _ byteCount: Int) {
        let block = Kept(base: base, size: SizeClass(holding: byteCount), time: 0)
        release(
            state.withLock { state in
                var block = block
                block.time = state.requests
                state.usedBytes -= block.size.byteCount
                state.leastUsedBytes = min(state.leastUsedBytes, state.usedBytes)
                state.keptBytes += block.size.byteCount
                state.stacks[block.size.index].append(block)
                return leaving(&state)
            })
    }

    /// Gives everything that waits back to the system.
    static func trim() {
        release(
            state.withLock { state in
                let limit = state.limit
                defer { state.limit = limit }
                state.limit = 0
                return leaving(&state)
            })
    }

    /// Takes the blocks out that have to leave.
    private static func leaving(_ state: inout State) -> [Kept] {
        let room = min(state.limit, state.allowed - state.usedBytes)
        let isTimeToLook = state.requests % 1024 == 0
        if state.keptBytes <= max(room, 0) && !isTimeToLook { return [] }
        var result: [Kept] = []
        while state.keptBytes > 0 {
            var oldest = (time: Int.max, index: -1)
            for (index, stack) in state.stacks.enumerated() {
                if let bottom = stack.first, bottom.time < oldest.time { oldest = (bottom.time, index) }
            }
            let isTooMuch = state.keptBytes > max(room, 0)
            guard isTooMuch || oldest.time < state.requests - patience else { break }
            let block = state.stacks[oldest.index].removeFirst()
            result.append(block)
            state.keptBytes -= block.size.byteCount
        }
        return result
    }

    private static func release(_ orphans: [Kept]) {
        for block in orphans { block.size.deallocate(block.base) }
    }
}
