import TensorCore

extension Image {
    /// The picture in another size, equal to the byte to Pillow's `Image.resize((width, height), filter)`.
    ///
    /// Two passes, each rounded and clipped to bytes; an axis that keeps its length is not touched. When shrinking, the
    /// filter widens with the reduction, so nothing aliases. The pass along the rows comes first, unless the height
    /// shrinks by more than twice what the width does: the rule of Pillow 13 (pull request 9549); earlier releases
    /// always begin with the rows, which can differ by a few steps. The work is shared among threads, the result does
    /// not depend on their number. `O(width * height * taps)`, taps about `2 support * reduction`.
    public func resized(width: Int, height: Int, filter: ResamplingFilter) -> Image {
        precondition(width > 0 && height > 0, "a size of \(width)x\(height)")
        if width == self.width && height == self.height { return self }
        if filter == .nearest { return nearest(width: width, height: height) }
        let beginsWithColumns = height < self.height && self.height - height > 2 * (self.width - width)
        if beginsWithColumns { return resampledColumns(to: height, filter).resampledRows(to: width, filter) }
        return resampledRows(to: width, filter).resampledColumns(to: height, filter)
    }

    private func nearest(width: Int, height: Int) -> Image {
        let columns = Self.nearestPlaces(from: self.width, to: width)
        let rows = Self.nearestPlaces(from: self.height, to: height)
        return Image(width: width, height: height) { values in
            pixels.withUnsafeBufferPointer { source in
                var written = 0
                for row in rows {
                    for column in columns {
                        let read = (row * self.width + column) * 3
                        for channel in 0..<3 { values[written + channel] = source[read + channel] }
                        written += 3
                    }
                }
            }
        }
    }

    /// The source of each new place. The position grows by repeated addition, whose rounding decides ties in Pillow.
    private static func nearestPlaces(from source: Int, to target: Int) -> [Int] {
        let step = Double(source) / Double(target)
        var position = step * 0.5
        return (0..<target).map { _ in
            defer { position += step }
            return min(Int(position), source - 1)
        }
    }

    private func resampledRows(to newWidth: Int, _ filter: ResamplingFilter) -> Image {
        if newWidth == width { return self }
        let weights = ResamplingWeights(source: width, target: newWidth, filter: filter)
        return Image(width: newWidth, height: height) { values in
            pixels.withUnsafeBufferPointer { source in
                let from = source.baseAddress!
                let to = values.baseAddress!
                parallelFor(height, grain: Self.grain(newWidth * weights.stride)) { rows in
                    for row in rows {
                        weights.applyAlong(from + row * width * 3, to + row * newWidth * 3)
                    }
                }
            }
        }
    }

    private func resampledColumns(to newHeight: Int, _ filter: ResamplingFilter) -> Image {
        if newHeight == height { return self }
        let weights = ResamplingWeights(source: height, target: newHeight, filter: filter)
        let rowLength = width * 3
        return Image(width: width, height: newHeight) { values in
            pixels.withUnsafeBufferPointer { source in
                let from = source.baseAddress!
                let to = values.baseAddress!
                parallelFor(newHeight, grain: Self.grain(width * weights.stride)) { rows in
                    for row in rows {
                        weights.applyAcross(from, rowLength: rowLength, place: row, to + row * rowLength)
                    }
                }
            }
        }
    }

    /// How many rows are worth a thread, when each costs so many multiplications of pixels.
    private static func grain(_ cost: Int) -> Int { max(1, (1 << 16) / max(cost, 1)) }
}

extension ResamplingWeights {
    private static let half = Int32(1) << (fractionBits - 1)

    @inline(__always)
    private static func byte(_ sum: Int32) -> UInt8 { UInt8(clamping: sum >> fractionBits) }

    /// Resamples one row of interleaved RGB.
    fileprivate func applyAlong(_ source: UnsafePointer<UInt8>, _ target: UnsafeMutablePointer<UInt8>) {
        values.withUnsafeBufferPointer { values in
            for place in 0..<first.count {
                var pixel = source + first[place] * 3
                let weight = values.baseAddress! + place * stride
                var (red, green, blue) = (Self.half, Self.half, Self.half)
                for i in 0..<count[place] {
                    red &+= Int32(pixel[0]) &* weight[i]
                    green &+= Int32(pixel[1]) &* weight[i]
                    blue &+= Int32(pixel[2]) &* weight[i]
                    pixel += 3
                }
                target[place * 3] = Self.byte(red)
                target[place * 3 + 1] = Self.byte(green)
                target[place * 3 + 2] = Self.byte(blue)
            }
        }
    }

    /// Mixes whole rows of `rowLength` bytes into the new row `place`.
    fileprivate func applyAcross(
        _ source: UnsafePointer<UInt8>, rowLength: Int, place: Int, _ target: UnsafeMutablePointer<UInt8>
    ) {
        let rows = source + first[place] * rowLength
        let taps = count[place]
        values.withUnsafeBufferPointer { values in
            let weight = values.baseAddress! + place * stride
            // Sixteen sums at a time stay in registers over all taps.
            var column = 0
            while column + 16 <= rowLength {
                var sums = SIMD16<Int32>(repeating: Self.half)
                for i in 0..<taps {
                    let bytes = UnsafeRawPointer(rows + i * rowLength + column).loadUnaligned(as: SIMD16<UInt8>.self)
                    sums &+= SIMD16<Int32>(truncatingIfNeeded: bytes) &* weight[i]
                }
                let steps = (sums &>> Self.fractionBits).clamped(lowerBound: .zero, upperBound: .init(repeating: 255))
                let bytes = SIMD16<UInt8>(truncatingIfNeeded: steps)
                UnsafeMutableRawPointer(target + column).storeBytes(of: bytes, as: SIMD16<UInt8>.self)
                column += 16
            }
            while column < rowLength {
                var sum = Self.half
                for i in 0..<taps { sum &+= Int32(rows[i * rowLength + column]) &* weight[i] }
                target[column] = Self.byte(sum)
                column += 1
            }
        }
    }
}
