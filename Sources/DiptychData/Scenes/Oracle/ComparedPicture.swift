/// A picture of 64 x 64 pixels as the oracle looks at it: blurred by 1 2 1 along both axes.
struct ComparedPicture: Sendable {
    static let side = SceneOracle.side
    private let pixels: [SIMD4<Float>]

    init(_ canvas: Canvas) {
        precondition(canvas.width == Self.side && canvas.height == Self.side, "\(canvas.width)x\(canvas.height) pixels")
        let last = Self.side - 1
        let limit = SIMD4<Float>.one
        let clipped = canvas.pixels.map { $0.clamped(lowerBound: .zero, upperBound: limit) }
        func smoothed(_ values: [SIMD4<Float>], step: Int, place: (Int) -> Int) -> [SIMD4<Float>] {
            values.indices.map { i in
                let p = place(i)
                let before = values[p > 0 ? i - step : i]
                let after = values[p < last ? i + step : i]
                return (before + after + values[i] * 2) / 4
            }
        }
        let rows = smoothed(clipped, step: 1) { $0 % Self.side }
        pixels = smoothed(rows, step: Self.side) { $0 / Self.side }
    }

    /// Where the colours are farther apart than `limit`.
    func differs(from other: ComparedPicture, by limit: Float) -> PixelSet {
        var set = PixelSet(everything: false)
        for i in pixels.indices { set[i] = pixels[i].distance(to: other.pixels[i]) > limit }
        return set
    }

    /// The sum of the squared distances of the colours.
    func distance(to other: ComparedPicture, in set: PixelSet) -> Float {
        var sum: Float = 0
        for i in pixels.indices where set[i] {
            let distance = pixels[i].distance(to: other.pixels[i])
            sum += distance * distance
        }
        return sum
    }

    /// The largest distance of the mean colours of any block of 4 x 4 pixels, of which half at least must lie in the set;
    /// blocks overlap by half.
    func blockDistance(to other: ComparedPicture, in set: PixelSet) -> Float {
        var largest: Float = 0
        for top in stride(from: 0, through: Self.side - 4, by: 2) {
            for left in stride(from: 0, through: Self.side - 4, by: 2) {
                var sum = SIMD4<Float>.zero
                var count: Float = 0
                for y in top..<top + 4 {
                    for i in y * Self.side + left..<y * Self.side + left + 4 where set[i] {
                        sum += pixels[i] - other.pixels[i]
                        count += 1
                    }
                }
                if count >= 8 { largest = max(largest, (sum / count).distance(to: .zero)) }
            }
        }
        return largest
    }
}

/// Some of the pixels of a compared picture.
struct PixelSet: Sendable {
    private static let side = ComparedPicture.side
    private var isIn: [Bool]

    init(everything: Bool) { isIn = Array(repeating: everything, count: Self.side * Self.side) }

    subscript(i: Int) -> Bool {
        get { isIn[i] }
        set { isIn[i] = newValue }
    }

    var count: Int { isIn.count { $0 } }

    /// All other pixels.
    var inverted: PixelSet {
        var set = self
        for i in isIn.indices { set.isIn[i].toggle() }
        return set
    }

    func union(_ other: PixelSet) -> PixelSet {
        var set = self
        for i in isIn.indices where other.isIn[i] { set.isIn[i] = true }
        return set
    }

    /// With all pixels at most so many rows and columns away.
    func grown(by margin: Int) -> PixelSet {
        var set = PixelSet(everything: false)
        for y in 0..<Self.side {
            for x in 0..<Self.side where isIn[y * Self.side + x] {
                for v in max(0, y - margin)...min(Self.side - 1, y + margin) {
                    for u in max(0, x - margin)...min(Self.side - 1, x + margin) { set.isIn[v * Self.side + u] = true }
                }
            }
        }
        return set
    }
}
