import DiptychData
import TensorIO
import Testing

@Suite struct ColorEditsTests {
    let photo = SyntheticPhoto.make(width: 48, height: 32)

    @Test func blackAndWhiteHasEqualChannels() {
        let grey = ColorEdits.blackAndWhite(photo)
        for (i, value) in photo.luminance.enumerated() {
            #expect(grey[i % 48, i / 48] == Image.Pixel(repeating: value))
        }
        #expect(ColorEdits.blackAndWhite(grey) == grey)
    }

    @Test func sepiaIsOneBrownOfEachBrightness() {
        let sepia = ColorEdits.sepia(photo)
        for y in 0..<32 { for x in 0..<48 { #expect(sepia[x, y].x > sepia[x, y].y && sepia[x, y].y > sepia[x, y].z) } }
        let two = Image(width: 2, height: 1, pixels: [100, 100, 100, 0, 0, 0])
        #expect(ColorEdits.sepia(two).pixels == [124, 99, 70, 12, 4, 0])
    }

    @Test func negativeTwiceIsTheIdentity() {
        let negative = ColorEdits.negative(photo)
        #expect(zip(negative.pixels, photo.pixels).allSatisfy { Int($0) + Int($1) == 255 })
        #expect(ColorEdits.negative(negative) == photo)
    }

    @Test func brightness() {
        let ends = Image(width: 2, height: 1, pixels: [0, 0, 0, 255, 255, 255])
        #expect(ColorEdits.brighter(ends) == ends)
        #expect(zip(ColorEdits.brighter(photo).pixels, photo.pixels).allSatisfy { $0 > $1 })
        #expect(zip(ColorEdits.darker(photo).pixels, photo.pixels).allSatisfy { $0 == $1 / 2 })
    }

    @Test func temperature() {
        let before = photo.meanColor
        let cold = ColorEdits.colder(photo).meanColor
        let warm = ColorEdits.warmer(photo).meanColor
        #expect(cold.z > before.z * 1.1 && cold.x < before.x * 0.9)
        #expect(warm.x > before.x * 1.1 && warm.z < before.z * 0.9)
    }

    @Test func saturation() {
        #expect(ColorEdits.vivid(photo).colorfulness > photo.colorfulness * 1.4)
        #expect(ColorEdits.muted(photo).colorfulness < photo.colorfulness * 0.4)
        let grey = ColorEdits.blackAndWhite(photo)
        #expect(ColorEdits.vivid(grey) == grey)
        #expect(ColorEdits.muted(grey) == grey)
    }

    @Test(arguments: EditRegion.allCases)
    func tintsChangeTheirRegionAlone(region: EditRegion) {
        let area = [
            EditRegion.left: (0..<24, 0..<32), .right: (24..<48, 0..<32), .top: (0..<48, 0..<16),
            .bottom: (0..<48, 16..<32), .center: (12..<36, 8..<24),
        ][region]!
        for color in EditColor.ofTints {
            let tinted = ColorEdits.tinted(photo, region, color)
            let changed = tinted.places(differingFrom: photo)
            #expect(changed.allSatisfy { area.0 ~= $0.x && area.1 ~= $0.y })
            #expect(Double(changed.count) > 0.95 * Double(area.0.count * area.1.count))
        }
    }

    @Test func tintsKeepTheBrightnessAndTakeTheColor() {
        let grey = Image(width: 32, height: 32, color: [120, 120, 120])
        for color in EditColor.ofTints {
            let tinted = ColorEdits.tinted(grey, .left, color)
            #expect(abs(Int(tinted.luminance[0]) - 120) <= 1)
            let (pixel, tone) = (tinted[0, 0], color.pixel)
            for a in 0..<3 { for b in 0..<3 where tone[a] > tone[b] { #expect(pixel[a] > pixel[b]) } }
        }
    }
}
