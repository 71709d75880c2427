extension Image {
    /// The rectangle whose top left pixel is `x`, `y`; it must lie inside.
    public func crop(x: Int, y: Int, width: Int, height: Int) -> Image {
        precondition(
            x >= 0 && y >= 0 && width > 0 && height > 0 && x + width <= self.width && y + height <= self.height,
            "crop of \(width)x\(height) at \(x), \(y) from an image of \(self.width)x\(self.height)")
        return Image(width: width, height: height) { values in
            pixels.withUnsafeBufferPointer { source in
                for row in 0..<height {
                    let start = ((y + row) * self.width + x) * 3
                    (values.baseAddress! + row * width * 3).initialize(
                        from: source.baseAddress! + start, count: width * 3)
                }
            }
        }
    }

    /// Lays `other` over this image, its top left pixel at `x`, `y`; what reaches beyond the edges is cut off.
    public mutating func paste(_ other: Image, x: Int, y: Int) {
        let left = max(0, -x)
        let top = max(0, -y)
        let right = min(other.width, width - x)
        let bottom = min(other.height, height - y)
        guard left < right, top < bottom else { return }
        let length = (right - left) * 3
        for row in top..<bottom {
            let from = (row * other.width + left) * 3
            let to = ((y + row) * width + x + left) * 3
            for i in 0..<length { pixels[to + i] = other.pixels[from + i] }
        }
    }

    /// The picture mirrored, turned or both.
    public func oriented(_ orientation: ImageOrientation) -> Image {
        if orientation == .upright { return self }
        let swapsAxes = orientation.swapsAxes
        let (newWidth, newHeight) = swapsAxes ? (height, width) : (width, height)
        // Where the result's top left pixel comes from, and how far apart its neighbours lie in the source.
        let origin =
            (orientation.startsAtBottom ? (height - 1) * width : 0) + (orientation.startsAtRight ? width - 1 : 0)
        let down = orientation.startsAtBottom ? -width : width
        let right = orientation.startsAtRight ? -1 : 1
        let (columnStep, rowStep) = swapsAxes ? (down, right) : (right, down)
        return Image(width: newWidth, height: newHeight) { values in
            pixels.withUnsafeBufferPointer { source in
                var written = 0
                for row in 0..<newHeight {
                    var read = (origin + row * rowStep) * 3
                    for _ in 0..<newWidth {
                        for channel in 0..<3 { values[written + channel] = source[read + channel] }
                        written += 3
                        read += columnStep * 3
                    }
                }
            }
        }
    }
}

/// How a stored picture must be turned to stand upright: the values of the EXIF tag `Orientation` (0x0112).
public enum ImageOrientation: Int, Sendable, CaseIterable {
    /// Stored as it is seen.
    case upright = 1
    /// Left and right exchanged.
    case mirrored = 2
    /// To be turned by half a turn.
    case halfTurned = 3
    /// Top and bottom exchanged.
    case flipped = 4
    /// Rows and columns exchanged.
    case transposed = 5
    /// To be turned a quarter clockwise.
    case turnedLeft = 6
    /// Rows and columns exchanged about the other diagonal.
    case transverse = 7
    /// To be turned a quarter counterclockwise.
    case turnedRight = 8

    /// Whether width and height change places.
    public var swapsAxes: Bool { rawValue >= 5 }

    /// Whether the upright picture's top left pixel is stored in the last row.
    var startsAtBottom: Bool { [.halfTurned, .flipped, .turnedLeft, .transverse].contains(self) }

    /// Whether the upright picture's top left pixel is stored in the last column.
    var startsAtRight: Bool { [.mirrored, .halfTurned, .transverse, .turnedRight].contains(self) }
}
