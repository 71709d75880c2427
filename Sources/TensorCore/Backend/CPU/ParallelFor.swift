import Dispatch
import Glibc
import Synchronization

/// The number of threads that the CPU backend shares its work among.
public enum Threads {
    private static let chosen = Atomic<Int>(0)

    /// The count in force: what ``set(_:)`` chose, otherwise the number of processors.
    public static var count: Int {
        let value = chosen.load(ordering: .relaxed)
        return value > 0 ? value : processorCount
    }

    /// Chooses the number of threads; 0 returns to the number of processors.
    public static func set(_ count: Int) {
        precondition(count >= 0, "\(count) threads")
        chosen.store(count, ordering: .relaxed)
    }

    private static let processorCount = Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))
}

/// Set while this thread runs a part of a parallel loop: loops inside it run serially, so that pools never nest.
private enum Nesting {
    @TaskLocal static var isInside = false
}

/// Lets pointers into a `@Sendable` closure; every part of a parallel loop must write its own elements only.
private struct Escaping<Value>: @unchecked Sendable {
    let value: Value
}

/// Calls `body` with consecutive ranges that cover `0..<count`, on several threads when there are at least two ranges
/// of `grain` elements. The ranges must be independent of each other.
package func parallelFor(_ count: Int, grain: Int, _ body: (Range<Int>) -> Void) {
    let parts = min(Threads.count, count / max(grain, 1))
    if parts < 2 || Nesting.isInside {
        if count > 0 { body(0..<count) }
        return
    }
    withoutActuallyEscaping(body) { escaping in
        let shared = Escaping(value: escaping)
        DispatchQueue.concurrentPerform(iterations: parts) { part in
            Nesting.$isInside.withValue(true) {
                shared.value(part * count / parts..<(part + 1) * count / parts)
            }
        }
    }
}
