import Foundation
import TensorCore

/// Makes the items of a sequence on threads of its own, ahead of the one who takes them in order; no more than `ahead`
/// items exist at a time.
package final class Prefetcher<Request: Sendable, Item: Sendable> {
    /// What the threads share, all but `make` guarded by the condition.
    private final class State: @unchecked Sendable {
        let condition = NSCondition()
        let ahead: Int
        let make: @Sendable (Request) -> Item
        var requests: () -> Request
        /// The number of the next item to be made, and of the next to be taken.
        var made = 0, taken = 0
        var ready: [Int: Item] = [:]
        var isStopped = false

        init(_ ahead: Int, _ requests: @escaping () -> Request, _ make: @escaping @Sendable (Request) -> Item) {
            self.ahead = ahead
            self.requests = requests
            self.make = make
        }

        /// Makes items until told to stop.
        func work() {
            condition.lock()
            defer { condition.unlock() }
            while true {
                while !isStopped, made - taken >= ahead { condition.wait() }
                if isStopped { return }
                let (number, request) = (made, requests())
                made += 1
                condition.unlock()
                // A loop of a decoder must not take the pool from the training step.
                let item = withoutThePool { make(request) }
                condition.lock()
                ready[number] = item
                condition.broadcast()
            }
        }
    }

    private let state: State
    private let hasThreads: Bool

    /// Begins at once. `requests` gives the sequence, one call at a time; `make` makes an item of a request, on several
    /// threads. Without threads items are made when they are taken.
    package init(
        threads: Int, ahead: Int, requests: @escaping () -> Request, make: @escaping @Sendable (Request) -> Item
    ) {
        precondition(threads >= 0 && ahead > 0, "\(ahead) items ahead on \(threads) threads")
        let state = State(ahead, requests, make)
        self.state = state
        hasThreads = threads > 0
        for number in 0..<min(threads, ahead) {
            let thread = Thread { state.work() }
            thread.name = "loader \(number)"
            thread.stackSize = 8 << 20
            thread.start()
        }
    }

    deinit {
        state.condition.lock()
        state.isStopped = true
        state.ready = [:]
        state.condition.broadcast()
        state.condition.unlock()
    }

    /// The next item; waits for it if need be.
    package func take() -> Item {
        guard hasThreads else { return state.make(state.requests()) }
        state.condition.lock()
        defer { state.condition.unlock() }
        while true {
            if let item = state.ready.removeValue(forKey: state.taken) {
                state.taken += 1
                state.condition.broadcast()
                return item
            }
            state.condition.wait()
        }
    }
}
