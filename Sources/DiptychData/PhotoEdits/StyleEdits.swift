import Foundation
package import TensorIO

/// Edits that give the picture another look. Lengths are shares of the shorter side.
package enum StyleEdits {
    /// The nearest of five levels a channel: 0, 64, 128, 191, 255.
    package static func posterized(_ image: Image) -> Image {
        let table = (0...255).map { (value: Int) -> UInt8 in
            let level = (value * 4 + 127) / 255
            return UInt8((level * 255 + 2) / 4)
        }
        return image.looked(up: table)
    }

    /// Means over squares, 24 along the shorter side.
    package static func pixelated(_ image: Image) -> Image {
        let side = max(2, (min(image.width, image.height) + 12) / 24)
        var result = image
        for top in stride(from: 0, to: image.height, by: side) {
            for left in stride(from: 0, to: image.width, by: side) {
                let columns = left..<min(left + side, image.width)
                let rows = top..<min(top + side, image.height)
                var sum = SIMD3<Int>.zero
                for y in rows { for x in columns { sum &+= SIMD3<Int>(truncatingIfNeeded: image[x, y]) } }
                let count = rows.count * columns.count
                let mean = Image.Pixel(truncatingIfNeeded: (sum &+ count / 2) / count)
                for y in rows { for x in columns { result[x, y] = mean } }
            }
        }
        return result
    }

    /// Dark, with little colour left and that blue: what day for night does in films.
    package static func night(_ image: Image) -> Image {
        image.mapped { _, _, old in
            let grey = SIMD3(repeating: Image.luminance(of: old))
            let faded = (grey + (old - grey) * 0.35) / 255
            return (faded * (0.45 + faded * 0.55)) * [82, 104, 168] + [2, 5, 16]
        }
    }

    /// Sharp inside an ellipse about the centre, blurred at the borders.
    package static func blurredBorder(_ image: Image) -> Image {
        let radius = max(1, Int((Float(min(image.width, image.height)) * 0.022).rounded()))
        return image.blended(with: image.blurred(radius: radius)) { x, y in
            smoothStep(0.45, 0.75, distanceFromCenter(x, y, image))
        }
    }

    /// Dark towards the corners.
    package static func vignette(_ image: Image) -> Image {
        image.mapped { x, y, old in old * (1 - 0.9 * smoothStep(0.5, 1.35, distanceFromCenter(x, y, image))) }
    }

    /// Grey lines on white: the luminance divided by its own blur, dark where it changes.
    package static func sketch(_ image: Image) -> Image {
        let grey = ColorEdits.blackAndWhite(image)
        let radius = max(1, Int((Float(min(image.width, image.height)) * 0.012).rounded()))
        let soft = grey.blurred(radius: radius)
        return grey.mapped { x, y, old in
            let share = min(1, (old + 8) / (SIMD3<Float>(soft[x, y]) + 8))
            return share * share * share * 255
        }
    }

    /// 0 at the centre, 1 at the middle of each edge, the square root of 2 in the corners.
    private static func distanceFromCenter(_ x: Int, _ y: Int, _ image: Image) -> Float {
        let dx = (Float(x) + 0.5) / Float(image.width) * 2 - 1
        let dy = (Float(y) + 0.5) / Float(image.height) * 2 - 1
        return (dx * dx + dy * dy).squareRoot()
    }
}

private func min(_ limit: Float, _ value: SIMD3<Float>) -> SIMD3<Float> {
    value.clamped(lowerBound: .zero, upperBound: .init(repeating: limit))
}
