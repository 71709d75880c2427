import TensorCore

/// What one pass through a dataset gives, and to whom.
public struct EpochPlan: Sendable, Equatable {
    /// How often the pairs of each part come: 2 is twice, 0.5 a random half, drawn anew for every pass. None is once.
    public var weights: [Double] = []
    /// The parts that the weights are of.
    public var parts: [Range<Int>] = []
    /// A number for each sample; batches hold samples of one number. None lets all be together.
    public var groups: [Int] = []
    /// Samples a batch; matters with groups or several ranks.
    public var batchSize = 1
    /// Which of the processes that train together this one is, and how many there are: they take batches in turns.
    public var rank = 0, worldSize = 1

    /// Every sample once, for one process.
    public init() {}

    fileprivate var needsBatches: Bool { worldSize > 1 || groups.contains { $0 != groups[0] } }
}

/// An endless sequence of sample numbers: every epoch is a fresh permutation that depends on seed and epoch alone, so
/// that a place in the sequence is two numbers.
///
/// With groups, or for several ranks, an epoch is a sequence of whole batches. A group's last batch is filled up from the
/// group's beginning, and with several ranks the epoch's last batches from its first, so that all have equally many.
public struct EpochOrder: Sendable, Equatable {
    /// The number of samples.
    public let count: Int
    /// What the permutations depend on.
    public let seed: UInt64
    /// Whether to permute at all.
    public let shuffles: Bool
    /// What an epoch gives.
    public let plan: EpochPlan
    /// The current epoch.
    public private(set) var epoch: Int
    /// How many samples of it have been given.
    public private(set) var position: Int
    private var order: [Int]

    /// Stands at `position` of `epoch`; a position behind the epoch's end is its end.
    public init(
        count: Int, seed: UInt64, shuffles: Bool = true, plan: EpochPlan = EpochPlan(), epoch: Int = 0,
        position: Int = 0
    ) {
        precondition(count > 0 && position >= 0 && epoch >= 0, "place \(position) of \(count)")
        precondition(plan.groups.isEmpty || plan.groups.count == count, "\(plan.groups.count) groups of \(count)")
        precondition(plan.weights.count == (plan.weights.isEmpty ? 0 : plan.parts.count), "\(plan.weights)")
        precondition(
            plan.batchSize > 0 && plan.rank >= 0 && plan.rank < plan.worldSize,
            "rank \(plan.rank) of \(plan.worldSize)")
        self.count = count
        self.seed = seed
        self.shuffles = shuffles
        self.plan = plan
        self.epoch = epoch
        order = []
        self.position = 0
        order = makeOrder()
        self.position = min(position, order.count)
    }

    /// The number of samples that the current epoch gives.
    public var epochCount: Int { order.count }

    /// The next sample's number.
    public mutating func next() -> Int {
        if position == order.count {
            epoch += 1
            position = 0
            order = makeOrder()
        }
        defer { position += 1 }
        return order[position]
    }

    private func makeOrder() -> [Int] {
        // Seeds of neighbouring epochs must not be neighbours: the golden ratio's bits spread them.
        var random = Random(seed: (seed &+ UInt64(epoch) &* 0x9E37_79B9_7F4A_7C15) >> 16 ^ seed)
        var order: [Int]
        if plan.weights.isEmpty {
            order = shuffles ? random.permutation(count) : Array(0..<count)
        } else {
            order = []
            for (part, weight) in zip(plan.parts, plan.weights) {
                for _ in 0..<Int(weight) { order += part }
                let rest = Int(((weight - weight.rounded(.down)) * Double(part.count)).rounded())
                order += random.permutation(part.count).prefix(rest).sorted().map { $0 + part.lowerBound }
            }
            // Weights near zero may leave nothing of a small dataset; an epoch has one sample at least.
            if order.isEmpty { order = [plan.parts[0].lowerBound] }
            if shuffles { order = random.permutation(order.count).map { order[$0] } }
        }
        return plan.needsBatches ? batched(order, &random) : order
    }

    private func batched(_ order: [Int], _ random: inout Random) -> [Int] {
        let size = plan.batchSize
        var members: [Int: [Int]] = [:]
        var groups: [Int] = []
        for sample in order {
            let group = plan.groups.isEmpty ? 0 : plan.groups[sample]
            if members[group] == nil { groups.append(group) }
            members[group, default: []].append(sample)
        }
        var batches: [[Int]] = []
        for group in groups.sorted() {
            let all = members[group]!
            for start in stride(from: 0, to: all.count, by: size) {
                batches.append((start..<start + size).map { all[$0 % all.count] })
            }
        }
        if shuffles { batches = random.permutation(batches.count).map { batches[$0] } }
        let turns = (batches.count + plan.worldSize - 1) / plan.worldSize
        return (0..<turns).flatMap { batches[($0 * plan.worldSize + plan.rank) % batches.count] }
    }
}
