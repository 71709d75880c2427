/// A picture of 8 bits a channel, red, green and blue interleaved, rows from the top.
///
///     var picture = try Image(contentsOf: "cat.jpg")
///     picture = picture.resized(width: 512, height: 512, filter: .lanczos)
///     picture[0, 0] = [255, 0, 0]
///     try picture.write(to: "cat.png")
public struct Image: Sendable, Equatable {
    /// Red, green and blue, each 0 … 255.
    public typealias Pixel = SIMD3<UInt8>

    /// The number of columns, at least 1.
    public let width: Int
    /// The number of rows, at least 1.
    public let height: Int
    /// `height * width * 3` values: row, column, channel.
    public internal(set) var pixels: [UInt8]

    /// Takes interleaved values; there must be `width * height * 3` of them.
    public init(width: Int, height: Int, pixels: [UInt8]) {
        precondition(width > 0 && height > 0, "an image of \(width)x\(height)")
        precondition(pixels.count == width * height * 3, "\(pixels.count) values for an image of \(width)x\(height)")
        self.width = width
        self.height = height
        self.pixels = pixels
    }

    /// One colour all over; black unless told.
    public init(width: Int, height: Int, color: Pixel = [0, 0, 0]) {
        self.init(width: width, height: height) { values in
            for start in stride(from: 0, to: values.count, by: 3) {
                for channel in 0..<3 { values[start + channel] = color[channel] }
            }
        }
    }

    /// Fills a fresh image; `body` must set every value of the buffer, which comes uninitialised.
    package init(width: Int, height: Int, filling body: (UnsafeMutableBufferPointer<UInt8>) throws -> Void) rethrows {
        precondition(width > 0 && height > 0, "an image of \(width)x\(height)")
        let count = width * height * 3
        self.width = width
        self.height = height
        pixels = try [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            try body(UnsafeMutableBufferPointer(rebasing: buffer[0..<count]))
            initialized = count
        }
    }

    /// The pixel of column `x` and row `y`, counted from the top left.
    public subscript(x: Int, y: Int) -> Pixel {
        get {
            let start = index(x, y)
            return [pixels[start], pixels[start + 1], pixels[start + 2]]
        }
        set {
            let start = index(x, y)
            for channel in 0..<3 { pixels[start + channel] = newValue[channel] }
        }
    }

    /// The brightness of each pixel, row by row: `0.299 R + 0.587 G + 0.114 B`, in the fixed point that Pillow's
    /// `convert("L")` uses. Of a grey picture, a mask say, these are the very values of the file.
    public var luminance: [UInt8] {
        (0..<width * height).map { i in
            let red = Int(pixels[3 * i]) * 19595
            let green = Int(pixels[3 * i + 1]) * 38470
            let blue = Int(pixels[3 * i + 2]) * 7471
            return UInt8((red + green + blue + 0x8000) >> 16)
        }
    }

    private func index(_ x: Int, _ y: Int) -> Int {
        precondition(x >= 0 && x < width && y >= 0 && y < height, "pixel \(x), \(y) of an image of \(width)x\(height)")
        return (y * width + x) * 3
    }
}

extension Image: CustomStringConvertible {
    /// For example `Image(512x384)`.
    public var description: String { "Image(\(width)x\(height))" }
}
