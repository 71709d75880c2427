import TensorCore
import TensorIO
import TestSupport
import Testing

@Suite struct ImageTests {
    @Test func pixelsAreRowsOfTriples() {
        var image = Image(width: 3, height: 2, color: [1, 2, 3])
        image[2, 1] = [7, 8, 9]
        #expect(image.pixels == [1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3, 7, 8, 9])
        #expect(image[2, 1] == [7, 8, 9])
        #expect(image[1, 1] == [1, 2, 3])
        #expect(image.description == "Image(3x2)")
    }

    @Test func cropAndPasteUndoEachOther() {
        let image = ImageFixtures.pattern(width: 17, height: 11)
        let part = image.crop(x: 3, y: 2, width: 9, height: 4)
        #expect(part[0, 0] == image[3, 2])
        #expect(part[8, 3] == image[11, 5])
        var canvas = Image(width: 17, height: 11)
        canvas.paste(part, x: 3, y: 2)
        #expect(canvas.crop(x: 3, y: 2, width: 9, height: 4) == part)
        #expect(canvas[2, 2] == [0, 0, 0] && canvas[12, 2] == [0, 0, 0] && canvas[3, 6] == [0, 0, 0])
    }

    @Test(arguments: [(-4, -2), (12, 8), (-4, 8), (12, -2), (-40, 0), (0, 40), (17, 0), (0, -11)])
    func pasteIsCutOffAtTheEdges(x: Int, y: Int) {
        let image = ImageFixtures.pattern(width: 17, height: 11)
        let background = Image(width: 17, height: 11, color: [9, 9, 9])
        var canvas = background
        canvas.paste(image, x: x, y: y)
        for row in 0..<11 {
            for column in 0..<17 {
                let isCovered = (0..<17).contains(column - x) && (0..<11).contains(row - y)
                #expect(canvas[column, row] == (isCovered ? image[column - x, row - y] : background[column, row]))
            }
        }
    }

    @Test func orientationsMoveTheCorners() {
        var image = Image(width: 2, height: 3)
        for y in 0..<3 { for x in 0..<2 { image[x, y] = [UInt8(x), UInt8(y), 0] } }
        let topLeft: [ImageOrientation: Image.Pixel] = [
            .upright: [0, 0, 0], .mirrored: [1, 0, 0], .halfTurned: [1, 2, 0], .flipped: [0, 2, 0],
            .transposed: [0, 0, 0], .turnedLeft: [0, 2, 0], .transverse: [1, 2, 0], .turnedRight: [1, 0, 0],
        ]
        for orientation in ImageOrientation.allCases {
            let turned = image.oriented(orientation)
            #expect(turned.width == (orientation.swapsAxes ? 3 : 2))
            #expect(turned[0, 0] == topLeft[orientation], "\(orientation)")
            let back: ImageOrientation =
                switch orientation {
                case .turnedLeft: .turnedRight
                case .turnedRight: .turnedLeft
                default: orientation
                }
            #expect(turned.oriented(back) == image, "\(orientation)")
        }
    }

    @Test func luminanceOfGreyIsTheGrey() {
        var image = Image(width: 256, height: 1)
        for value in 0..<256 { image[value, 0] = Image.Pixel(repeating: UInt8(value)) }
        #expect(image.luminance == (0...255).map { UInt8($0) })
        #expect(Image(width: 1, height: 1, color: [255, 0, 0]).luminance == [76])
        #expect(Image(width: 1, height: 1, color: [0, 255, 0]).luminance == [150])
        #expect(Image(width: 1, height: 1, color: [0, 0, 255]).luminance == [29])
    }

    @Test func tensorsEqualDiffusers() throws {
        let reference = try ImageFixtures.archive("tensors.safetensors")
        let image = ImageFixtures.image(try reference.tensor("image"))
        expectSame(image.tensor(), try reference.tensor("image.tensor"))
        #expect(Image(tensor: image.tensor()) == image)
        let values = try reference.tensor("tensor")
        let expected = ImageFixtures.image(try reference.tensor("tensor.image"))
        #expect(Image(tensor: values) == expected)
        // A view with other strides holds the same picture.
        let turned = values.transposed(1, 2).copied().transposed(1, 2)
        #expect(!turned.isContiguous)
        #expect(Image(tensor: turned) == expected)
    }

    @Test func tensorsBeyondTheRangeAreClamped() {
        let values: [Float] = [.nan, -.infinity, .infinity, -1.5, 1.5, 0]
        let image = Image(tensor: Tensor(values + values + values, [3, 2, 3]))
        #expect((0..<6).map { image.pixels[$0 * 3] } == [0, 0, 255, 0, 255, 128])
    }
}
