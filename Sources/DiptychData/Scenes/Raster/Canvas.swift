package import TensorIO

/// An opaque picture in floating point on which areas are painted, anti-aliased by the exact share of each pixel that
/// an area covers.
package struct Canvas: Sendable {
    /// Columns.
    package let width: Int
    /// Rows.
    package let height: Int
    /// Red, green and blue, 0 … 1; the fourth value means nothing.
    package var pixels: [SIMD4<Float>]
    private var cover: [Float] = []

    /// One colour all over.
    package init(width: Int, height: Int, color: SIMD4<Float> = [1, 1, 1, 1]) {
        precondition(width > 0 && height > 0, "a canvas of \(width)x\(height)")
        self.width = width
        self.height = height
        pixels = Array(repeating: color, count: width * height)
    }

    /// A picture to paint on.
    package init(_ image: Image) {
        width = image.width
        height = image.height
        pixels = (0..<image.width * image.height).map { i -> SIMD4<Float> in
            let bytes = SIMD4<UInt8>(image.pixels[3 * i], image.pixels[3 * i + 1], image.pixels[3 * i + 2], 255)
            return SIMD4<Float>(bytes) / 255
        }
    }

    /// The picture in 8 bits, rounded.
    package var image: Image {
        Image(width: width, height: height) { values in
            pixels.withUnsafeBufferPointer { pixels in
                for i in pixels.indices {
                    let value = (pixels[i] * 255 + 0.5).clamped(
                        lowerBound: .zero, upperBound: .init(repeating: 255))
                    for channel in 0..<3 { values[3 * i + channel] = UInt8(value[channel]) }
                }
            }
        }
    }

    /// Replaces every pixel by what `body` makes of its value.
    package mutating func map(_ body: (SIMD4<Float>) -> SIMD4<Float>) {
        pixels.withUnsafeMutableBufferPointer { pixels in
            for i in pixels.indices { pixels[i] = body(pixels[i]) }
        }
    }

    /// Paints the inside of `path`, whose unit is `scale` pixels and whose origin lies at `origin`; `paint` is asked in
    /// the path's units.
    package mutating func fill(
        _ path: VectorPath, scale: Float = 1, at origin: VectorPath.Point = .zero, _ paint: Paint
    ) {
        guard let bounds = path.bounds else { return }
        let low = (bounds.low * scale + origin).rounded(.down)
        let high = (bounds.high * scale + origin).rounded(.up)
        let left = Int(max(low.x, 0))
        let top = Int(max(low.y, 0))
        let right = Int(min(high.x, Float(width)))
        let bottom = Int(min(high.y, Float(height)))
        guard left < right, top < bottom else { return }
        let (columns, rows) = (right - left, bottom - top)
        // Two more columns take what edges beyond the right border leave.
        let stride = columns + 2
        cover.removeAll(keepingCapacity: true)
        cover.append(contentsOf: repeatElement(0, count: stride * rows))
        let shift = origin - VectorPath.Point(Float(left), Float(top))
        cover.withUnsafeMutableBufferPointer { cover in
            var sums = CoverageSums(values: cover, columns: columns, rows: rows, stride: stride)
            for contour in path.contours {
                var last = contour[contour.count - 1] * scale + shift
                for point in contour {
                    let next = point * scale + shift
                    sums.addEdge(last, next)
                    last = next
                }
            }
            pixels.withUnsafeMutableBufferPointer { pixels in
                for row in 0..<rows {
                    var share: Float = 0
                    let line = (top + row) * width + left
                    for column in 0..<columns {
                        share += cover[row * stride + column]
                        let covered = min(abs(share), 1)
                        if covered < 1e-4 { continue }
                        let place = (VectorPath.Point(Float(left + column), Float(top + row)) + 0.5 - origin) / scale
                        let color = paint.color(at: place)
                        let old = pixels[line + column]
                        pixels[line + column] = old + (color - old) * (covered * color.w)
                    }
                }
            }
        }
    }
}

/// The share of every pixel that lies to the right of a path's edges, as differences along each row: their running sum
/// is the number of times that the path covers the pixel.
private struct CoverageSums {
    let values: UnsafeMutableBufferPointer<Float>
    let columns: Int
    let rows: Int
    let stride: Int

    /// Takes an edge, clipped to the rows and, to the left, to the first column.
    mutating func addEdge(_ from: SIMD2<Float>, _ to: SIMD2<Float>) {
        if from.y == to.y { return }
        let sign: Float = from.y < to.y ? -1 : 1
        let (a, b) = from.y < to.y ? (from, to) : (to, from)
        let slope = (b.x - a.x) / (b.y - a.y)
        let begin = max(a.y, 0)
        let end = min(b.y, Float(rows))
        guard begin < end else { return }
        var row = Int(begin)
        while Float(row) < end {
            let upper = max(begin, Float(row))
            let lower = min(end, Float(row + 1))
            if lower > upper {
                addPiece(
                    row, a.x + (upper - a.y) * slope, a.x + (lower - a.y) * slope, weight: sign * (lower - upper))
            }
            row += 1
        }
    }

    /// Takes a piece of an edge within one row, between two columns. A piece over the columns `xl … xr` leaves of pixel
    /// `i` the share `g(i + 1) - g(i)` to its right, where `g` is the mean of `max(t - x, 0)` over the piece; the values
    /// kept are the differences of that from one column to the next.
    private mutating func addPiece(_ row: Int, _ x0: Float, _ x1: Float, weight: Float) {
        let xl = min(x0, x1)
        let xr = max(x0, x1)
        if xl >= Float(columns) { return }
        let line = row * stride
        if xr <= 0 {
            values[line] += weight
            return
        }
        let slant = xr > xl ? 0.5 / (xr - xl) : 0
        let middle = (xl + xr) / 2
        func g(_ t: Float) -> Float {
            if t >= xr { return t - middle }
            return t <= xl ? 0 : (t - xl) * (t - xl) * slant
        }
        let first = max(0, Int(xl.rounded(.down)))
        let last = min(columns, Int(xr) + 1)
        var before: Float = g(Float(first))
        // Left of the first column lies what is cut off there: it counts for the first column as a whole.
        var share: Float = 0
        for column in first...last {
            let after = g(Float(column + 1))
            values[line + column] += weight * (after - before - share)
            share = after - before
            before = after
        }
    }
}
