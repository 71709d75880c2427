package import TensorIO

extension Image {
    /// Every pixel replaced by what `body` makes of its place and value; values are 0 … 255, results are rounded and
    /// clipped.
    package func mapped(_ body: (_ x: Int, _ y: Int, SIMD3<Float>) -> SIMD3<Float>) -> Image {
        Image(width: width, height: height) { values in
            pixels.withUnsafeBufferPointer { source in
                var i = 0
                for y in 0..<height {
                    for x in 0..<width {
                        let old = SIMD3<Float>(Float(source[i]), Float(source[i + 1]), Float(source[i + 2]))
                        let new = body(x, y, old).rounded(.toNearestOrAwayFromZero)
                            .clamped(lowerBound: .zero, upperBound: .init(repeating: 255))
                        for channel in 0..<3 { values[i + channel] = UInt8(new[channel]) }
                        i += 3
                    }
                }
            }
        }
    }

    /// Every channel of every pixel looked up in a table of 256 values.
    package func looked(up table: [UInt8]) -> Image {
        precondition(table.count == 256, "a table of \(table.count) values")
        return Image(width: width, height: height, pixels: pixels.map { table[Int($0)] })
    }

    /// This image where `weight` is 0, `other` where it is 1, a mixture between.
    package func blended(with other: Image, _ weight: (_ x: Int, _ y: Int) -> Float) -> Image {
        precondition(other.width == width && other.height == height, "\(self) blended with \(other)")
        return mapped { x, y, old in
            let share = weight(x, y)
            return old + (SIMD3<Float>(other[x, y]) - old) * share
        }
    }

    /// Three means over squares of side `2 radius + 1`, close to a Gaussian of deviation
    /// `((2 radius + 1)² - 1)^½ / 2` (Wells 1986, "Efficient synthesis of Gaussian filters by cascaded uniform
    /// filters"); pixels of the edge go on for ever beyond it. The work does not grow with the radius.
    package func blurred(radius: Int) -> Image {
        precondition(radius >= 0, "a blur of radius \(radius)")
        if radius == 0 { return self }
        var result = self
        for _ in 0..<3 { result = result.meansOfRows(radius).transposed.meansOfRows(radius).transposed }
        return result
    }

    private var transposed: Image { oriented(.transposed) }

    private func meansOfRows(_ radius: Int) -> Image {
        let count = 2 * radius + 1
        return Image(width: width, height: height) { values in
            pixels.withUnsafeBufferPointer { source in
                for row in 0..<height {
                    let start = row * width * 3
                    for channel in start..<start + 3 {
                        func value(_ x: Int) -> Int { Int(source[channel + min(max(x, 0), width - 1) * 3]) }
                        var sum = 0
                        for x in -radius...radius { sum += value(x) }
                        for x in 0..<width {
                            values[channel + x * 3] = UInt8((sum + radius) / count)
                            sum += value(x + radius + 1) - value(x - radius)
                        }
                    }
                }
            }
        }
    }

    /// The perceived brightness of a colour, with the weights of ``Image/luminance``.
    package static func luminance(of color: SIMD3<Float>) -> Float { (color * [0.299, 0.587, 0.114]).sum() }
}

/// 0 below `low`, 1 above `high`, `3t² - 2t³` between.
package func smoothStep(_ low: Float, _ high: Float, _ x: Float) -> Float {
    let t = min(max((x - low) / (high - low), 0), 1)
    return t * t * (3 - 2 * t)
}
