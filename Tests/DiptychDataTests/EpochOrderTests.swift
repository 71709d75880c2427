import DiptychData
import Testing

@Suite struct EpochOrderTests {
    private func take(_ count: Int, from order: inout EpochOrder) -> [Int] { (0..<count).map { _ in order.next() } }

    @Test(arguments: [1, 2, 7, 100])
    func everyEpochIsAPermutation(count: Int) {
        var order = EpochOrder(count: count, seed: 4)
        for epoch in 0..<4 {
            #expect(take(count, from: &order).sorted() == Array(0..<count))
            #expect(order.epoch == epoch && order.position == count)
        }
    }

    @Test func epochsAndSeedsDiffer() {
        var permutations: Set<[Int]> = []
        for seed in [0, 1, 2, 1 << 40] as [UInt64] {
            var order = EpochOrder(count: 50, seed: seed)
            for _ in 0..<10 { permutations.insert(take(50, from: &order)) }
        }
        #expect(permutations.count == 40)
    }

    @Test func withoutShufflingTheOrderIsTheFiles() {
        var order = EpochOrder(count: 3, seed: 9, shuffles: false)
        #expect(take(7, from: &order) == [0, 1, 2, 0, 1, 2, 0])
    }

    @Test func anyPlaceCanBeResumed() {
        var order = EpochOrder(count: 5, seed: 7)
        let all = take(23, from: &order)
        var walking = EpochOrder(count: 5, seed: 7)
        for taken in 0..<18 {
            var resumed = EpochOrder(count: 5, seed: 7, epoch: walking.epoch, position: walking.position)
            #expect(resumed == walking)
            #expect(take(5, from: &resumed) == Array(all[taken..<taken + 5]))
            #expect(walking.next() == all[taken])
        }
    }
}
