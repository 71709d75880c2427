import Foundation
import TensorCore
import TensorIO
import TestSupport
import Testing

@Suite struct ImageMalformedTests {
    /// Cut anywhere, a file is refused: no grey filler, no crash.
    @Test(arguments: [
        "rgb8.png", "palette4-interlaced.png", "grey16.png", "baseline420.jpg", "progressive444.jpg", "restarts.jpg",
        "cmyk.jpg", "grey.jpg", "exif6.jpg",
    ])
    func everyTruncationIsRefused(name: String) throws {
        let bytes = try ImageFixtures.bytes(name)
        for length in 0..<bytes.count {
            let error = fileError { _ = try Image(Array(bytes[..<length])) }
            #expect(error != nil, "\(name) cut to \(length) bytes")
        }
        #expect(try Image(bytes).width > 0)
    }

    /// PNG guards every chunk with a CRC, so that no single wrong bit goes unseen.
    @Test(arguments: ["rgb8.png", "palette2.png", "greyalpha16-interlaced.png", "exif6.png"])
    func everyWrongBitOfPNGIsRefused(name: String) throws {
        let bytes = try ImageFixtures.bytes(name)
        for position in bytes.indices {
            var damaged = bytes
            damaged[position] ^= UInt8(1 << (position % 8))
            #expect(fileError { _ = try Image(damaged) } != nil, "\(name), byte \(position)")
        }
    }

    /// JPEG has no checks: damage may go unseen or be refused, and never does worse.
    @Test(arguments: ["baseline422.jpg", "progressive420.jpg", "restarts.jpg", "ycck.jpg", "exif3.jpg", "xmp8.jpg"])
    func damagedJPEGIsDecodedOrRefused(name: String) throws {
        let bytes = try ImageFixtures.bytes(name)
        var random = SplitMix64(seed: 7)
        var refused = 0
        for _ in 0..<2000 {
            var damaged = bytes
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                damaged[Int.random(in: 2..<bytes.count, using: &random)] = .random(in: 0...255, using: &random)
            }
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

    /// A header that claims more than the bytes can hold, and one that claims more than is allowed: both are refused for
    /// the header, before there is a picture to allocate.
    @Test(arguments: [
        (13377, 13377, "a file of 57"), (16384, 16384, "16384x16384, 268435456 pixels"),
        (30000, 2, "30000x2"), (2, 16385, "2x16385"),
        (0x7FFF_FFFF, 0x7FFF_FFFF, "2147483647x2147483647"),
    ])
    func lyingPNGSizesAreRefusedByTheHeader(width: Int, height: Int, found: String) throws {
        let bytes = PNGBytes.file(width: width, height: height, depth: 8, colorType: 2, data: [])
        let error = fileError { _ = try Image(bytes) }
        #expect(error?.key == "header")
        #expect(error?.found == found)
    }

    @Test func sizesThatPNGForbidsAreRefused() {
        for (width, height) in [(0, 4), (4, 0), (1 << 31, 4)] {
            let bytes = PNGBytes.file(width: width, height: height, depth: 8, colorType: 2, data: [])
            #expect(fileError { _ = try Image(bytes) }?.expected == "an intact PNG")
        }
        let odd = PNGBytes.file(width: 4, height: 4, depth: 3, colorType: 2, data: [])
        #expect(fileError { _ = try Image(odd) }?.found.contains("IHDR") == true)
    }

    @Test func lyingJPEGSizesAreRefusedByTheHeader() throws {
        var bytes = try ImageFixtures.bytes("progressive420.jpg")
        let frame = try #require(bytes.indices.first { bytes[$0] == 0xFF && bytes[$0 + 1] == 0xC2 })
        func setSize(_ width: Int, _ height: Int) {
            bytes.replaceSubrange(
                frame + 5..<frame + 9,
                with: [height >> 8, height & 255, width >> 8, width & 255].map { UInt8($0) })
        }
        setSize(13377, 13377)
        let large = fileError { _ = try Image(bytes) }
        #expect(large?.key == "header" && large?.found == "a file of \(bytes.count)")
        setSize(65000, 8)
        let wide = fileError { _ = try Image(bytes) }
        #expect(wide?.key == "header" && wide?.found == "65000x8")
        setSize(0, 8)
        #expect(fileError { _ = try Image(bytes) }?.expected == "an intact JPEG")
        // More rows than are there: the data end early, which is an error and not grey filler.
        setSize(21, 400)
        #expect(fileError { _ = try Image(bytes) } != nil)
    }

    /// Each scan of a progressive file costs a pass over the whole picture, however few bytes it has.
    @Test func endlessScansAreRefused() throws {
        let bytes = try ImageFixtures.bytes("grey-progressive.jpg")
        // A Huffman table whose one code, a zero bit, says that a block's mean does not change; then a scan of the
        // 3x2 blocks' means.
        let table: [UInt8] = [0xFF, 0xC4, 0, 20, 0, 1] + [UInt8](repeating: 0, count: 15) + [0]
        let scan: [UInt8] = [0xFF, 0xDA, 0, 8, 1, 1, 0, 0, 0, 0, 0b0000_0011]
        func file(scans: Int) -> [UInt8] {
            bytes.dropLast(2) + table + (0..<scans).flatMap { _ in scan } + bytes.suffix(2)
        }
        #expect(try Image(file(scans: 400)).width == 21)
        let error = fileError { _ = try Image(file(scans: 600)) }
        #expect(error?.expected == "a progressive JPEG of at most 500 scans")
    }

    @Test func aPNGThatHoldsTooFewRowsIsRefused() throws {
        // One row of a 1x2 picture: stored deflate block, zlib header and Adler-32 sum of 00 FF FF FF.
        let row: [UInt8] = [0x78, 0x01, 0x01, 4, 0, 0xFB, 0xFF, 0, 255, 255, 255, 0x05, 0xFE, 0x02, 0xFE]
        let whole = PNGBytes.file(width: 1, height: 1, depth: 8, colorType: 2, data: row)
        #expect(try Image(whole) == Image(width: 1, height: 1, color: [255, 255, 255]))
        let lacking = PNGBytes.file(width: 1, height: 2, depth: 8, colorType: 2, data: row)
        #expect(fileError { _ = try Image(lacking) }?.found.contains("Not enough image data") == true)
    }

    @Test func indicesBeyondThePaletteAreRefused() {
        // One pixel of index 3 with two colours.
        let pixel: [UInt8] = [0x78, 0x01, 0x01, 2, 0, 0xFD, 0xFF, 0, 3, 0x00, 0x05, 0x00, 0x04]
        let palette = PNGBytes.chunk("PLTE", [1, 2, 3, 4, 5, 6])
        let bytes = PNGBytes.file(width: 1, height: 1, depth: 8, colorType: 3, extra: palette, data: pixel)
        let error = fileError { _ = try Image(bytes) }
        #expect(error?.expected == "palette indices below 2")
        #expect(error?.found == "index 3")
        let bare = PNGBytes.file(width: 1, height: 1, depth: 8, colorType: 3, data: pixel)
        #expect(fileError { _ = try Image(bare) }?.found.contains("PLTE") == true)
    }

    @Test func otherFormatsAreNamed() {
        let cases: [([UInt8], String)] = [
            (Array("GIF89a".utf8) + [1, 0, 1, 0], "a GIF file (47 49 46 38 39 61 01 00 01 00)"),
            ([0, 0, 0, 0x1C] + Array("ftypavif".utf8), "an AVIF file (00 00 00 1c 66 74 79 70 61 76 69 66)"),
            (Array("hello".utf8), "text that begins with 'hello'"),
            ([], "an empty file"),
        ]
        for (bytes, found) in cases {
            let error = fileError { _ = try Image(bytes) }
            #expect(error?.expected == "a PNG, JPEG or WebP image")
            #expect(error?.found == found)
        }
    }

    @Test func whatIsNoFileIsRefused() throws {
        try withScratchFolder { folder in
            #expect(fileError { _ = try Image(contentsOf: folder + "/none.png") }?.found == "no such file")
            #expect(fileError { _ = try Image(contentsOf: folder) }?.found == "a folder")
            #expect(mkfifo(folder + "/pipe.png", 0o600) == 0)
            #expect(fileError { _ = try Image(contentsOf: folder + "/pipe.png") }?.found == "a device or pipe")
            try Data().write(to: URL(filePath: folder + "/empty.jpg"))
            #expect(fileError { _ = try Image(contentsOf: folder + "/empty.jpg") }?.found == "an empty file")
        }
    }
}

/// Builds PNG files chunk by chunk.
private enum PNGBytes {
    static func file(
        width: Int, height: Int, depth: UInt8, colorType: UInt8, extra: [UInt8] = [], data: [UInt8]
    ) -> [UInt8] {
        let signature: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]
        let header = bigEndian(width) + bigEndian(height) + [depth, colorType, 0, 0, 0]
        return signature + chunk("IHDR", header) + extra + chunk("IDAT", data) + chunk("IEND", [])
    }

    static func chunk(_ name: String, _ data: [UInt8]) -> [UInt8] {
        let body = Array(name.utf8) + data
        return bigEndian(data.count) + body + bigEndian(Int(crc32(body)))
    }

    private static func bigEndian(_ value: Int) -> [UInt8] {
        [24, 16, 8, 0].map { UInt8(value >> $0 & 255) }
    }

    /// The sum of PNG and zip, polynomial 0xEDB88320 reflected.
    private static func crc32(_ bytes: [UInt8]) -> UInt32 {
        var sum = ~UInt32(0)
        for byte in bytes {
            sum ^= UInt32(byte)
            for _ in 0..<8 { sum = sum & 1 == 1 ? sum >> 1 ^ 0xEDB8_8320 : sum >> 1 }
        }
        return ~sum
    }
}
