import TensorIO
import TestSupport
import Testing

/// WebP against Pillow; `Tests/Reference/make_webp_fixtures.py` says how the files were made.
@Suite struct WebPTests {
    private static let names = [
        "lossy5", "lossy80", "lossy100", "lossless", "lossless-palette", "grey", "lossy-alpha", "lossless-alpha",
        "pixel",
        "profile", "exif1", "exif2", "exif3", "exif4", "exif5", "exif6", "exif7", "exif8", "exif9", "exif6-named",
        "exif6-alpha", "xmp8", "exif-unannounced", "trailing",
    ].map { "webp-\($0).webp" }

    /// Lossy or not, with alpha or not, however turned: to the byte, since libwebp's arithmetic is exact.
    @Test func everyWebPEqualsPillow() throws {
        let reference = try ImageFixtures.archive("webp.safetensors")
        #expect(Set(reference.names).isSuperset(of: Self.names))
        for name in reference.names {
            let image = try Image(contentsOf: ImageFixtures.path(name))
            let expected = ImageFixtures.image(try reference.tensor(name))
            #expect(image == expected, "\(name): off by \(image.distance(to: expected))")
            let size = try ImageFixtures.bytes(name).withUnsafeBytes { try Image.size(decoding: $0, name: name) }
            #expect(size.width == expected.width && size.height == expected.height, "\(name): \(size)")
        }
    }

    @Test func contentCountsNotTheName() throws {
        try withScratchFolder { folder in
            let path = folder + "/mislabelled.png"
            try AtomicFile.write(to: path) { try $0.write(ImageFixtures.bytes("webp-lossless.webp")) }
            #expect(try Image(contentsOf: path) == Image(contentsOf: ImageFixtures.path("webp-lossless.webp")))
        }
    }

    @Test func animationsAreRefused() throws {
        let path = ImageFixtures.path("webp-animated.webp")
        let error = fileError { _ = try Image(contentsOf: path) }
        #expect(error?.description == "\(path): expected a still picture, found an animation of 3 frames")
        let bytes = try ImageFixtures.bytes("webp-animated.webp")
        let size = fileError { _ = try bytes.withUnsafeBytes { try Image.size(decoding: $0, name: "a") } }
        #expect(size?.found == "an animation of 3 frames")
    }

    /// Cut anywhere, a file is refused.
    @Test(arguments: ["lossy80", "lossless", "lossy-alpha", "lossless-alpha", "exif6", "xmp8"])
    func everyTruncationIsRefused(name: String) throws {
        let bytes = try ImageFixtures.bytes("webp-\(name).webp")
        for length in 0..<bytes.count {
            let error = fileError { _ = try Image(Array(bytes[..<length])) }
            #expect(error != nil && error?.description.contains("\n") == false, "\(name) cut to \(length) bytes")
        }
        let cut = fileError { _ = try Image(Array(bytes[..<(bytes.count - 2)])) }
        #expect(cut?.expected == "a whole WebP")
        #expect(cut?.found == "the end of the file after \(bytes.count - 2) of \(bytes.count)")
    }

    /// A picture whose own data end early inside an intact container: no grey filler.
    @Test(arguments: ["lossy80", "lossless"])
    func aPictureThatEndsEarlyIsRefused(name: String) throws {
        var bytes = try ImageFixtures.bytes("webp-\(name).webp")
        // RIFF, its size, WEBP, one chunk's name and size, its data.
        let count = (bytes.count - 20) / 2 & ~1
        bytes = Array(bytes[..<(20 + count)])
        func set(_ value: Int, at place: Int) {
            bytes.replaceSubrange(place..<place + 4, with: (0..<4).map { UInt8(value >> (8 * $0) & 255) })
        }
        set(bytes.count - 8, at: 4)
        set(count, at: 16)
        #expect(fileError { _ = try Image(bytes) }?.expected == "an intact WebP")
    }

    /// WebP has no checks: damage may go unseen or be refused in one line, and never does worse.
    @Test(arguments: ["lossy100", "lossless-palette", "lossy-alpha", "lossless-alpha", "exif3", "xmp8", "animated"])
    func damageIsDecodedOrRefused(name: String) throws {
        let bytes = try ImageFixtures.bytes("webp-\(name).webp")
        var random = SplitMix64(seed: 11)
        var refused = 0
        for _ in 0..<2000 {
            var damaged = bytes
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                damaged[Int.random(in: 12..<bytes.count, using: &random)] = .random(in: 0...255, using: &random)
            }
            // A size of the header that grew is allowed, and would only cost the test its memory.
            let size = try? damaged.withUnsafeBytes { try Image.size(decoding: $0, name: "test") }
            if let size, size.width * size.height > 1 << 20 { continue }
            do {
                let image = try Image(damaged)
                #expect(image.pixels.count == image.width * image.height * 3)
            } catch let error as FileError {
                refused += 1
                #expect(!error.description.contains("\n"))
            }
        }
        #expect(refused > 100)
    }
}
