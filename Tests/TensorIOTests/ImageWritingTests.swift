import Foundation
import TensorIO
import TestSupport
import Testing

@Suite struct ImageWritingTests {
    @Test(arguments: [(1, 1), (1, 9), (9, 1), (123, 77)])
    func pngComesBackWhole(width: Int, height: Int) throws {
        let image = ImageFixtures.pattern(width: width, height: height)
        try withScratchFolder { folder in
            try image.write(to: folder + "/a.PNG")
            #expect(try Image(contentsOf: folder + "/a.PNG") == image)
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["a.PNG"])
        }
    }

    @Test func jpegComesBackNearlyAndNearerWithQuality() throws {
        let image = ImageFixtures.pattern(width: 96, height: 64).resized(width: 384, height: 256, filter: .bicubic)
        func meanError(_ other: Image) -> Double {
            Double(zip(image.pixels, other.pixels).map { abs(Int($0) - Int($1)) }.reduce(0, +))
                / Double(image.pixels.count)
        }
        try withScratchFolder { folder in
            var last = (error: Double.infinity, size: 0)
            for quality in [10, 50, 95] {
                let path = folder + "/a.jpeg"
                try image.write(to: path, jpegQuality: quality)
                let error = meanError(try Image(contentsOf: path))
                let size = try Data(contentsOf: URL(filePath: path)).count
                #expect(error < last.error && size > last.size, "quality \(quality): \(error), \(size) bytes")
                last = (error, size)
            }
            #expect(last.error < 3)
        }
    }

    @Test func onlyKnownExtensionsAreWritten() throws {
        let image = Image(width: 2, height: 2)
        try withScratchFolder { folder in
            let webp = fileError { try image.write(to: folder + "/a.webp") }
            #expect(webp?.expected == "a name that ends in .png, .jpg or .jpeg")
            #expect(webp?.found == ".webp")
            #expect(fileError { try image.write(to: folder + "/a.jpgg") }?.nearest == ".jpg")
            #expect(fileError { try image.write(to: folder + "/png") }?.found == "no extension")
            #expect(fileError { try image.write(to: folder + "/none/a.png") }?.path == folder + "/none/a.png")
            let left = try FileManager.default.contentsOfDirectory(atPath: folder)
            #expect(left.isEmpty)
        }
    }

    @Test func whatJPEGCannotHoldIsRefused() throws {
        let wide = Image(width: 65536, height: 1)
        #expect(fileError { _ = try wide.encoded(as: .jpeg()) }?.found.contains("65500") == true)
        #expect(fileError { _ = try Image(wide.encoded(as: .png)) }?.found == "65536x1")
    }
}
