import TensorIO
import TestSupport
import Testing

@Suite struct ImageReadingTests {
    /// Every layout of PNG, to the byte: the format is lossless.
    @Test func everyPNGEqualsPillow() throws {
        let reference = try ImageFixtures.archive("decoded.safetensors")
        let names = reference.names.filter { $0.hasSuffix(".png") }
        #expect(names.count >= 31)
        for name in names {
            let image = try Image(contentsOf: ImageFixtures.path(name))
            let expected = ImageFixtures.image(try reference.tensor(name))
            #expect(image == expected, "\(name): off by \(image.distance(to: expected))")
        }
    }

    /// Every layout of JPEG. The arithmetic of libjpeg-turbo is exact integer arithmetic, the same in Pillow's copy and
    /// in Debian's.
    @Test func everyJPEGEqualsPillow() throws {
        let reference = try ImageFixtures.archive("decoded.safetensors")
        let names = reference.names.filter { $0.hasSuffix(".jpg") }
        #expect(names.count >= 25)
        for name in names {
            let image = try Image(contentsOf: ImageFixtures.path(name))
            let expected = ImageFixtures.image(try reference.tensor(name))
            #expect(image == expected, "\(name): off by \(image.distance(to: expected))")
        }
    }

    @Test func contentCountsNotTheName() throws {
        let png = try Image(contentsOf: ImageFixtures.path("rgb8.png"))
        try withScratchFolder { folder in
            let path = folder + "/mislabelled.jpg"
            try AtomicFile.write(to: path) { try $0.write(ImageFixtures.bytes("rgb8.png")) }
            #expect(try Image(contentsOf: path) == png)
        }
    }
}
