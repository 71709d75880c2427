import TensorCore
import TensorIO
import TestSupport
import Testing

@Suite struct ImageResamplingTests {
    /// `resize.safetensors`: one photograph-like source, three filters, several sizes, keys `filter.WIDTHxHEIGHT`.
    @Test func photographEqualsPillow() throws {
        let reference = try SafetensorsFile(path: Fixtures.path("resize.safetensors"))
        let source = ImageFixtures.image(try reference.tensor("source"))
        var compared = 0
        for name in reference.names {
            let parts = name.split(separator: ".")
            guard parts.count == 2, let filter = ResamplingFilter(rawValue: String(parts[0])) else { continue }
            let size = parts[1].split(separator: "x").compactMap { Int($0) }
            let resized = source.resized(width: size[0], height: size[1], filter: filter)
            let expected = ImageFixtures.image(try reference.tensor(name))
            #expect(resized == expected, "\(name): off by \(resized.distance(to: expected))")
            compared += 1
        }
        #expect(compared >= 12)
    }

    /// Odd sizes, single pixels, one axis alone, noise of extremes, every filter.
    @Test(arguments: ResamplingFilter.allCases)
    func oddSizesEqualPillow(filter: ResamplingFilter) throws {
        let reference = try ImageFixtures.archive("resampled.safetensors")
        var compared = 0
        while reference.info("\(compared).source") != nil {
            let source = ImageFixtures.image(try reference.tensor("\(compared).source"))
            let expected = ImageFixtures.image(try reference.tensor("\(compared).\(filter.rawValue)"))
            let resized = source.resized(width: expected.width, height: expected.height, filter: filter)
            #expect(
                resized == expected, "\(source) to \(expected), \(filter): off by \(resized.distance(to: expected))")
            compared += 1
        }
        #expect(compared >= 10)
    }

    @Test func sameSizeIsTheSamePicture() {
        let image = ImageFixtures.pattern(width: 19, height: 7)
        for filter in ResamplingFilter.allCases {
            #expect(image.resized(width: 19, height: 7, filter: filter) == image)
        }
    }

    @Test func threadsDoNotChangeTheResult() {
        let image = ImageFixtures.pattern(width: 601, height: 467)
        defer { Threads.set(0) }
        Threads.set(1)
        let alone = image.resized(width: 333, height: 512, filter: .lanczos)
        Threads.set(5)
        #expect(image.resized(width: 333, height: 512, filter: .lanczos) == alone)
    }
}
