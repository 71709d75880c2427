import TensorCore

/// An endless sequence of sample numbers: every epoch is a fresh permutation that depends on seed and epoch alone, so
/// that a place in the sequence is two numbers.
public struct EpochOrder: Sendable, Equatable {
    /// The number of samples.
    public let count: Int
    /// What the permutations depend on.
    public let seed: UInt64
    /// Whether to permute at all.
    public let shuffles: Bool
    /// The current epoch.
    public private(set) var epoch: Int
    /// How many samples of it have been given.
    public private(set) var position: Int
    private var order: [Int]

    /// Stands at `position` of `epoch`.
    public init(count: Int, seed: UInt64, shuffles: Bool = true, epoch: Int = 0, position: Int = 0) {
        precondition(count > 0 && position >= 0 && position <= count && epoch >= 0, "place \(position) of \(count)")
        self.count = count
        self.seed = seed
        self.shuffles = shuffles
        self.epoch = epoch
        self.position = position
        order = Self.order(count, seed, epoch, shuffles)
    }

    /// The next sample's number.
    public mutating func next() -> Int {
        if position == count {
            epoch += 1
            position = 0
            order = Self.order(count, seed, epoch, shuffles)
        }
        defer { position += 1 }
        return order[position]
    }

    private static func order(_ count: Int, _ seed: UInt64, _ epoch: Int, _ shuffles: Bool) -> [Int] {
        if !shuffles { return Array(0..<count) }
        // Seeds of neighbouring epochs must not be neighbours: the golden ratio's bits spread them.
        var random = Random(seed: (seed &+ UInt64(epoch) &* 0x9E37_79B9_7F4A_7C15) >> 16 ^ seed)
        return random.permutation(count)
    }
}
