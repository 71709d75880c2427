import DiptychData
import TensorIO
import Testing

@Suite struct GeometryEditsTests {
    let photo = SyntheticPhoto.make(width: 48, height: 32)

    @Test func mirroring() {
        let mirrored = GeometryEdits.mirrored(photo)
        #expect(mirrored[0, 5] == photo[47, 5] && mirrored[30, 31] == photo[17, 31])
        #expect(GeometryEdits.mirrored(mirrored) == photo)
        let flipped = GeometryEdits.flipped(photo)
        #expect(flipped[3, 0] == photo[3, 31] && flipped[47, 10] == photo[47, 21])
        #expect(GeometryEdits.flipped(flipped) == photo)
        #expect(GeometryEdits.upsideDown(photo) == GeometryEdits.flipped(mirrored))
    }

    @Test func zoomingShowsTheMiddleHalf() {
        let zoomed = GeometryEdits.zoomed(photo)
        #expect(zoomed.width == 48 && zoomed.height == 32)
        #expect(
            zoomed == photo.crop(x: 12, y: 8, width: 24, height: 16).resized(width: 48, height: 32, filter: .bicubic))
        // What lies outside the middle half has no part in it.
        var other = Image(width: 48, height: 32)
        other.paste(photo.crop(x: 12, y: 8, width: 24, height: 16), x: 12, y: 8)
        #expect(GeometryEdits.zoomed(other) == zoomed)
    }
}
