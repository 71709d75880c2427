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

    /// The part of a pass that is no whole pass is rounded to the nearest number of pairs.
    @Test(arguments: [(0.7, 4), (0.3, 2), (0.25, 1), (1.7, 9), (2, 10)])
    func weightsAreRounded(weight: Double, count: Int) {
        var plan = EpochPlan()
        (plan.weights, plan.parts) = ([weight], [0..<5])
        #expect(EpochOrder(count: 5, seed: 1, plan: plan).epochCount == count)
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

    @Test func weightsRepeatAndThin() {
        var plan = EpochPlan()
        plan.parts = [0..<10, 10..<14]
        plan.weights = [0.5, 2]
        var order = EpochOrder(count: 14, seed: 3, plan: plan)
        #expect(order.epochCount == 13)
        var halves: Set<Set<Int>> = []
        for _ in 0..<6 {
            let epoch = take(13, from: &order)
            #expect(epoch.filter { $0 < 10 }.count == 5 && Set(epoch.filter { $0 < 10 }).count == 5)
            for sample in 10..<14 { #expect(epoch.filter { $0 == sample }.count == 2) }
            halves.insert(Set(epoch.filter { $0 < 10 }))
        }
        #expect(halves.count > 3)
        #expect(EpochOrder(count: 14, seed: 3, plan: plan, position: 5) != EpochOrder(count: 14, seed: 3, plan: plan))
    }

    @Test func batchesAreOfOneGroup() {
        var plan = EpochPlan()
        plan.groups = (0..<23).map { $0 % 3 == 0 ? 7 : $0 % 2 }
        plan.batchSize = 4
        var order = EpochOrder(count: 23, seed: 3, plan: plan)
        let all = take(order.epochCount * 3, from: &order)
        #expect(all.count % 4 == 0)
        for start in stride(from: 0, to: all.count, by: 4) {
            #expect(Set(all[start..<start + 4].map { plan.groups[$0] }).count == 1)
        }
        #expect(Set(all.prefix(order.epochCount)).count == 23)
        // The last batches of three groups are filled up.
        #expect(order.epochCount < 23 + 3 * 4)
        var resumed = EpochOrder(count: 23, seed: 3, plan: plan, epoch: 1, position: 8)
        #expect(take(20, from: &resumed) == Array(all[order.epochCount + 8..<order.epochCount + 28]))
    }

    @Test(arguments: [1, 2, 3, 5])
    func ranksShareAnEpoch(worldSize: Int) {
        var epochs: [[Int]] = []
        for rank in 0..<worldSize {
            var plan = EpochPlan()
            plan.batchSize = 2
            (plan.rank, plan.worldSize) = (rank, worldSize)
            var order = EpochOrder(count: 17, seed: 8, plan: plan)
            epochs.append(take(order.epochCount, from: &order))
        }
        #expect(Set(epochs.map(\.count)).count == 1)
        #expect(Set(epochs.joined()) == Set(0..<17))
        // What comes twice only fills up.
        #expect(epochs.joined().count < 17 + 2 * worldSize + 2)
    }
}
