import DiptychData
import Foundation
import Synchronization
import Testing

@Suite struct PrefetcherTests {
    @Test(arguments: [0, 1, 4])
    func itemsComeInOrder(threads: Int) {
        var next = 0
        let squares = Prefetcher<Int, Int>(
            threads: threads, ahead: 5,
            requests: {
                next += 1
                return next
            },
            make: { number in
                // Later items are often ready first.
                if number % 3 == 0 { Thread.sleep(forTimeInterval: 0.002) }
                return number * number
            })
        for number in 1...60 { #expect(squares.take() == number * number) }
    }

    @Test func noMoreItemsThanAllowedExist() {
        final class Counter: Sendable { let made = Atomic<Int>(0) }
        let counter = Counter()
        let items = Prefetcher<Void, Int>(
            threads: 4, ahead: 6, requests: {}, make: { counter.made.add(1, ordering: .relaxed).newValue })
        for taken in 0..<40 {
            Thread.sleep(forTimeInterval: 0.001)
            #expect(counter.made.load(ordering: .relaxed) <= taken + 6)
            _ = items.take()
        }
    }
}
