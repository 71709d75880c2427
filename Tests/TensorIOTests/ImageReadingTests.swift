import TensorIO
import TestSupport
import Testing

@Suite struct ImageReadingTests {
    /// Every layout of PNG, to the byte: the format is lossless. Transparency is laid over white by Pillow's `paste`, and
    /// 16-bit grey has its upper 8 bits.
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

    @Test func transparentPartsAreLaidOverABackground() throws {
        let reference = try ImageFixtures.archive("decoded.safetensors")
        let background = try #require(ImageBackground(rawValue: "#204060"))
        let names = reference.names.filter { $0.hasSuffix("#204060") }
        #expect(names.count == 30)
        for name in names {
            let file = String(name.dropLast("#204060".count))
            let image = try Image(contentsOf: ImageFixtures.path(file), background: background)
            let expected = ImageFixtures.image(try reference.tensor(name))
            #expect(image == expected, "\(file): off by \(image.distance(to: expected))")
            // An opaque picture is the same on every background.
            let isOpaque = try image == Image(contentsOf: ImageFixtures.path(file))
            let decoded = try Image.decode(contentsOf: ImageFixtures.path(file), background: background)
            #expect(decoded.isTransparent != isOpaque, "\(file)")
            let mayBe = file.contains("alpha") || file.hasPrefix("rgba") || file.contains("interlaced")
            #expect(mayBe || isOpaque, "\(file)")
        }
    }

    /// The upper half of each number: nearly black, grey and white stay so.
    @Test func sixteenBitGreyIsScaled() throws {
        let image = try Image(contentsOf: ImageFixtures.path("grey16.png"))
        let values = image.luminance
        #expect(values.count { $0 == 255 } < values.count / 20 && Set(values).count > 60)
    }

    @Test func backgroundsAreNamed() {
        for (text, color, name) in [
            ("white", [255, 255, 255], "white"), ("Black", [0, 0, 0], "black"), ("grey", [128, 128, 128], "gray"),
            ("#FFFFFF", [255, 255, 255], "white"), ("#0a4060", [10, 64, 96], "#0a4060"),
        ] as [(String, Image.Pixel, String)] {
            let background = ImageBackground(rawValue: text)
            #expect(background?.color == color && background?.rawValue == name, "\(text)")
        }
        for text in ["", "#", "#12345", "#1234567", "#12345g", "#+12345", "204060", "whites"] {
            #expect(ImageBackground(rawValue: text) == nil, "\(text)")
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
