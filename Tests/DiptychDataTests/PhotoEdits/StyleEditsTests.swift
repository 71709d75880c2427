import DiptychData
import TensorIO
import Testing

@Suite struct StyleEditsTests {
    let photo = SyntheticPhoto.make(width: 96, height: 64)

    @Test func posterizedHasFiveLevels() {
        let posterized = StyleEdits.posterized(photo)
        let levels: [Int] = [0, 64, 128, 191, 255]
        for (new, old) in zip(posterized.pixels, photo.pixels) {
            let nearest = levels.min { abs($0 - Int(old)) < abs($1 - Int(old)) }!
            #expect(abs(Int(new) - Int(old)) <= abs(nearest - Int(old)) + 1)
            #expect(levels.contains(Int(new)))
        }
        #expect(StyleEdits.posterized(posterized) == posterized)
    }

    @Test func pixelatedIsMadeOfMeans() {
        // 64 / 24 is nearest to 3; 96 is 32 squares wide, 64 leaves a row of squares of height 1.
        let pixelated = StyleEdits.pixelated(photo)
        for (left, top, height) in [(0, 0, 3), (93, 30, 3), (42, 63, 1)] {
            var sum = SIMD3<Int>.zero
            for y in top..<top + height {
                for x in left..<left + 3 {
                    sum &+= SIMD3(truncatingIfNeeded: photo[x, y])
                    #expect(pixelated[x, y] == pixelated[left, top])
                }
            }
            let mean = SIMD3<Double>(sum) / Double(3 * height)
            for channel in 0..<3 { #expect(abs(Double(pixelated[left, top][channel]) - mean[channel]) <= 0.5) }
        }
    }

    @Test func nightIsDarkAndBlue() {
        let night = StyleEdits.night(photo)
        #expect(night.mean < photo.mean / 2)
        let color = night.meanColor
        #expect(color.z > color.x && color.z > color.y)
    }

    @Test func blurredBorderKeepsTheCenter() {
        let blurred = StyleEdits.blurredBorder(photo)
        let changed = blurred.places(differingFrom: photo)
        #expect(!changed.isEmpty)
        for (x, y) in changed {
            let (dx, dy) = ((Double(x) + 0.5) / 48 - 1, (Double(y) + 0.5) / 32 - 1)
            #expect(dx * dx + dy * dy > 0.45 * 0.45)
        }
        // Squares, because a blur spreads a step over several pixels and keeps its height.
        func roughness(_ image: Image) -> Int {
            (0..<95).map { Int(image[$0, 0].x) - Int(image[$0 + 1, 0].x) }.reduce(0) { $0 + $1 * $1 }
        }
        #expect(roughness(blurred) < roughness(photo) / 2)
    }

    @Test func vignetteDarkensTowardsTheCorners() {
        let white = Image(width: 96, height: 64, color: [200, 200, 200])
        let vignette = StyleEdits.vignette(white)
        #expect(vignette[48, 32] == [200, 200, 200])
        for (x, y) in [(0, 0), (95, 0), (0, 63), (95, 63)] { #expect(vignette[x, y].x < 40) }
        for x in 48..<95 { #expect(vignette[x + 1, 3].x <= vignette[x, 3].x) }
    }

    @Test func sketchDrawsDarkLinesWhereBrightnessChanges() {
        var halves = Image(width: 96, height: 64, color: [200, 60, 60])
        halves.paste(Image(width: 48, height: 64, color: [30, 20, 90]), x: 0, y: 0)
        let sketch = StyleEdits.sketch(halves)
        #expect(sketch.colorfulness == 0)
        #expect(sketch[2, 30].x == 255 && sketch[93, 30].x == 255)
        #expect(sketch[47, 30].x < 128)
    }

    @Test func blurring() {
        let even = Image(width: 20, height: 10, color: [7, 100, 250])
        #expect(even.blurred(radius: 3) == even)
        #expect(photo.blurred(radius: 0) == photo)
        #expect(even.blurred(radius: 40) == even)
        // A point becomes the threefold convolution of a box with itself: 1 3 6 7 6 3 1 of 27 along each axis.
        var point = Image(width: 9, height: 1)
        point[4, 0] = [255, 0, 0]
        let row = (0..<9).map { Int(point.blurred(radius: 1)[$0, 0].x) }
        for (value, weight) in zip(row, [0, 1, 3, 6, 7, 6, 3, 1, 0]) {
            #expect(abs(value - 255 * weight / 27) <= 2, "\(row)")
        }
    }
}
