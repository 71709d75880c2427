import TensorIO

/// Pictures in which no two neighbours, halves or mirror images are alike.
enum SyntheticPhoto {
    /// Mid-range colours that depend on the place in a lopsided way.
    static func make(width: Int, height: Int, seed: Int = 0) -> Image {
        var image = Image(width: width, height: height)
        for y in 0..<height {
            for x in 0..<width {
                image[x, y] = [
                    UInt8(40 + (x * 7 + y * 3 + seed * 31) % 171), UInt8(40 + (x * 2 + y * 11 + seed * 5) % 151),
                    UInt8(40 + (x * 5 + y * y / 7 + seed) % 131),
                ]
            }
        }
        return image
    }
}

extension Image {
    /// The places at which two pictures differ.
    func places(differingFrom other: Image) -> [(x: Int, y: Int)] {
        precondition(width == other.width && height == other.height)
        return (0..<width * height).map { ($0 % width, $0 / width) }.filter { self[$0.0, $0.1] != other[$0.0, $0.1] }
    }

    /// The mean of all values.
    var mean: Double { Double(pixels.reduce(0) { $0 + Int($1) }) / Double(pixels.count) }

    /// The means of red, green and blue.
    var meanColor: SIMD3<Double> {
        var sum = SIMD3<Double>.zero
        for i in stride(from: 0, to: pixels.count, by: 3) {
            sum += SIMD3(Double(pixels[i]), Double(pixels[i + 1]), Double(pixels[i + 2]))
        }
        return sum / Double(width * height)
    }

    /// The mean distance between the largest and the smallest channel of a pixel.
    var colorfulness: Double {
        let spreads = stride(from: 0, to: pixels.count, by: 3).map { i in
            Double(pixels[i..<i + 3].max()!) - Double(pixels[i..<i + 3].min()!)
        }
        return spreads.reduce(0, +) / Double(spreads.count)
    }
}
