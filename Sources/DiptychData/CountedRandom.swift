import TensorCore

extension Random {
    /// A generator of its own for each seed, stream and index, so that items can be made in any order.
    static func counted(seed: UInt64, stream: UInt64, index: Int) -> Random {
        // The generator takes 32 bits. Both steps mix one to one, so that no two of 2^32 indices share a stream.
        let key = mixed(seed &+ stream &* 0x9E37_79B9_7F4A_7C15)
        var word = UInt32(truncatingIfNeeded: index) &+ UInt32(truncatingIfNeeded: key >> 32)
        word = (word ^ word >> 16) &* 0x85EB_CA6B
        word = (word ^ word >> 13) &* 0xC2B2_AE35
        return Random(seed: UInt64(word ^ word >> 16 ^ UInt32(truncatingIfNeeded: key)))
    }

    /// Item `index` of an endless sequence over `0..<count` in which each comes once in every `count` items, in a new
    /// order each time.
    static func dealt(_ index: Int, of count: Int, seed: UInt64, stream: UInt64) -> Int {
        var random = counted(seed: seed, stream: stream, index: index / count)
        return random.permutation(count)[index % count]
    }

    /// One of several.
    mutating func element<Element>(of items: [Element]) -> Element { items[integer(below: items.count)] }

    /// Stafford's mixing of 64 bits, variant 13.
    private static func mixed(_ value: UInt64) -> UInt64 {
        var word = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ word >> 27) &* 0x94D0_49BB_1331_11EB
        return word ^ word >> 31
    }
}
