import Glibc

/// PyTorch's CPU generator: a 32-bit Mersenne twister with PyTorch's own ways from draws to uniforms and normals.
///
/// A seed gives the numbers that `torch.Generator("cpu").manual_seed(seed)` gives, so that seeds can be shared with
/// programs built on PyTorch. Normals from `randn` agree to the rounding of the logarithm and the cosine.
public struct Random: Sendable, Equatable {
    private var twister: MersenneTwister
    /// The second value of the last scalar pair, as PyTorch keeps it.
    private var cachedNormal: Double?

    /// Begins the stream of `seed`; like PyTorch's twister it takes the lower 32 bits.
    public init(seed: UInt64) {
        twister = MersenneTwister(seed: UInt32(truncatingIfNeeded: seed))
    }

    /// Everything that the next draws depend on: 624 words, the place among them, and the kept normal (a flag and two
    /// halves).
    public var state: [UInt32] {
        let bits = cachedNormal?.bitPattern ?? 0
        return twister.words + [
            UInt32(twister.place), cachedNormal == nil ? 0 : 1, UInt32(truncatingIfNeeded: bits >> 32),
            UInt32(truncatingIfNeeded: bits),
        ]
    }

    /// The number of words in a ``state``.
    public static let stateCount = MersenneTwister.size + 4

    /// Continues where ``state`` was taken; nil if the words cannot be a state.
    public init?(state: [UInt32]) {
        guard state.count == Self.stateCount, state[624] <= 624, state[625] <= 1 else { return nil }
        twister = MersenneTwister(words: Array(state[..<624]), place: Int(state[624]))
        if state[625] == 1 { cachedNormal = Double(bitPattern: UInt64(state[626]) << 32 | UInt64(state[627])) }
    }

    /// The next 32 bits.
    public mutating func next() -> UInt32 { twister.next() }

    /// The next 64 bits, the first draw above the second.
    public mutating func next64() -> UInt64 {
        let high = UInt64(next())
        return high << 32 | UInt64(next())
    }

    /// A uniform `float32` in `[0, 1)`: the lower 24 bits of a draw.
    public mutating func uniform() -> Float { Float(next() & 0xFF_FFFF) * 0x1p-24 }

    /// A uniform number in `[0, 1)` with 53 random bits.
    public mutating func uniformDouble() -> Double { Double(next64() & ((1 << 53) - 1)) * 0x1p-53 }

    /// A whole number in `0..<bound`, every one equally likely.
    public mutating func integer(below bound: Int) -> Int {
        precondition(bound > 0, "a number below \(bound)")
        let bound = UInt64(bound)
        let limit = UInt64.max - (UInt64.max % bound + 1) % bound
        var draw = next64()
        while draw > limit { draw = next64() }
        return Int(draw % bound)
    }

    /// A random order of `0..<count` (Fisher and Yates).
    public mutating func permutation(_ count: Int) -> [Int] {
        var order = Array(0..<count)
        for i in stride(from: count - 1, to: 0, by: -1) { order.swapAt(i, integer(below: i + 1)) }
        return order
    }

    /// `torch.rand(shape)`.
    public mutating func rand(_ shape: Shape) -> Tensor {
        let result = Tensor(uninitialized: shape)
        let values = result.pointer(to: Float.self)
        for i in 0..<shape.count { values[i] = uniform() }
        return result
    }

    /// `torch.randn(shape)`: sixteen at a time from 16 elements on, one pair at a time below.
    public mutating func randn(_ shape: Shape) -> Tensor {
        let count = shape.count
        if count < 16 { return Tensor((0..<count).map { _ in Float(normal()) }, shape) }
        let result = rand(shape)
        let values = result.pointer(to: Float.self)
        for start in stride(from: 0, through: count - 16, by: 16) { Self.transform(values + start) }
        if count % 16 != 0 {
            // The last sixteen places are drawn afresh, as PyTorch does.
            for i in count - 16..<count { values[i] = uniform() }
            Self.transform(values + count - 16)
        }
        return result
    }

    /// One normal in double precision, by pairs of Box and Muller.
    public mutating func normal() -> Double {
        if let kept = cachedNormal {
            cachedNormal = nil
            return kept
        }
        let u1 = uniformDouble()
        let u2 = uniformDouble()
        let radius = (-2 * log1p(-u2)).squareRoot()
        cachedNormal = radius * sin(2 * .pi * u1)
        return radius * cos(2 * .pi * u1)
    }

    /// Box and Muller on eight pairs that lie eight apart.
    private static func transform(_ values: UnsafeMutablePointer<Float>) {
        // The nearest float; Swift's own `Float.pi` is rounded towards zero, which would turn every angle.
        let fullTurn = Float(2 * Double.pi)
        for j in 0..<8 {
            let u = 1 - values[j]
            let v = values[j + 8]
            let radius = (-2 * log(u)).squareRoot()
            let angle = fullTurn * v
            values[j] = radius * cos(angle)
            values[j + 8] = radius * sin(angle)
        }
    }
}

/// Matsumoto and Nishimura's mt19937.
private struct MersenneTwister: Sendable, Equatable {
    static let size = 624
    var words: [UInt32]
    var place: Int

    init(words: [UInt32], place: Int) {
        self.words = words
        self.place = place
    }

    init(seed: UInt32) {
        words = [seed]
        words.reserveCapacity(Self.size)
        for i in 1..<Self.size {
            let last = words[i - 1]
            words.append(1_812_433_253 &* (last ^ last >> 30) &+ UInt32(i))
        }
        place = Self.size
    }

    mutating func next() -> UInt32 {
        if place == Self.size { refill() }
        var y = words[place]
        place += 1
        y ^= y >> 11
        y ^= y << 7 & 0x9D2C_5680
        y ^= y << 15 & 0xEFC6_0000
        return y ^ y >> 18
    }

    private mutating func refill() {
        for i in 0..<Self.size {
            let y = words[i] & 0x8000_0000 | words[(i + 1) % Self.size] & 0x7FFF_FFFF
            words[i] = words[(i + 397) % Self.size] ^ y >> 1 ^ (y & 1 == 0 ? 0 : 0x9908_B0DF)
        }
        place = 0
    }
}
