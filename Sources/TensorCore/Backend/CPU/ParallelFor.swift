import CKernels
import Synchronization

/// The number of threads that the CPU backend shares its work among.
public enum Threads {
    private static let chosen = Atomic<Int>(0)

    /// The count in force: what ``set(_:)`` chose, otherwise the processors that the process may use (``ProcessorShare``).
    public static var count: Int {
        let value = chosen.load(ordering: .relaxed)
        return value > 0 ? value : ProcessorShare.current.count
    }

    /// Chooses the number of threads; 0 returns to the number of usable processors.
    public static func set(_ count: Int) {
        precondition(count >= 0, "\(count) threads")
        chosen.store(count, ordering: .relaxed)
    }
}

/// Calls `body` with consecutive ranges that cover `0..<count`, on several threads of the one pool (`thread_pool.h`) when
/// there are at least two ranges of `grain` elements. The ranges must be independent of each other; a loop inside a
/// range runs on its range's thread.
package func parallelFor(_ count: Int, grain: Int, _ body: (Range<Int>) -> Void) {
    let threads = Threads.count
    let parts = min(threads, count / max(grain, 1))
    if parts < 2 || diptych_is_inside_parallel() {
        if count > 0 { body(0..<count) }
        return
    }
    withoutActuallyEscaping(body) { escaping in
        var loop = Loop(body: escaping, count: count, parts: parts)
        withUnsafeMutablePointer(to: &loop) { loop in
            diptych_parallel(
                parts, Int32(threads),
                { context, part in
                    let loop = context!.assumingMemoryBound(to: Loop.self)
                    let (count, parts) = (loop.pointee.count, loop.pointee.parts)
                    loop.pointee.body(part * count / parts..<(part + 1) * count / parts)
                }, loop)
        }
    }
}

/// Runs `body` with all its loops on this thread, so that work in the background does not take the pool from the
/// computation in front.
package func withoutThePool<Result>(_ body: () throws -> Result) rethrows -> Result {
    let before = diptych_set_inside_parallel(true)
    defer { diptych_set_inside_parallel(before) }
    return try body()
}

/// What the parts of a loop read.
private struct Loop {
    let body: (Range<Int>) -> Void
    let count: Int, parts: Int
}
