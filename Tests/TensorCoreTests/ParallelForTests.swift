import Foundation
import Synchronization
import TensorCore
import Testing

/// The pool of threads; the counts are chosen in processes of their own, since they hold for the whole process.
@Suite struct ParallelForTests {
    /// Every element exactly once, whatever the count of threads and the grain, from a sleeping pool and from a busy one.
    @Test func coversEveryElementOnce() async {
        await #expect(processExitsWith: .success) {
            for threads in [1, 2, 3, 8, 2] {
                Threads.set(threads)
                for count in [0, 1, 2, 7, 1000] {
                    for grain in [1, 3, 2000] {
                        for _ in 0..<50 {
                            let visits = (0..<count).map { _ in Counter() }
                            parallelFor(count, grain: grain) { range in for i in range { visits[i].add() } }
                            precondition(visits.allSatisfy { $0.value == 1 }, "\(threads) \(count) \(grain)")
                        }
                    }
                }
                // Long enough for the workers to fall asleep.
                usleep(2000)
            }
        }
    }

    /// A loop inside a loop runs on its own thread, and loops of several threads do not disturb each other.
    @Test func nestsAndIsShared() async {
        await #expect(processExitsWith: .success) {
            Threads.set(4)
            let total = Counter()
            DispatchQueue.concurrentPerform(iterations: 8) { _ in
                for _ in 0..<200 {
                    parallelFor(4, grain: 1) { outer in
                        for _ in outer { parallelFor(5, grain: 1) { inner in for _ in inner { total.add() } } }
                    }
                }
            }
            precondition(total.value == 8 * 200 * 4 * 5, "\(total.value)")
        }
    }
}

/// Counts from any thread.
private final class Counter: Sendable {
    private let count = Atomic<Int>(0)
    var value: Int { count.load(ordering: .relaxed) }
    func add() { count.add(1, ordering: .relaxed) }
}
