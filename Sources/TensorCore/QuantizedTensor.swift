import CKernels

/// Numbers in a ``QuantizationFormat``: storage only, until they are dequantised or multiplied.
///
/// Rows follow one upon the other, each of whole blocks, as in the files. A range of rows is a view, so that a fused
/// projection is taken apart without a copy. No arithmetic is defined on it: ``dequantized(to:)`` gives all numbers,
/// `dequantize(blocks:into:)` a run of blocks for those who work tile by tile.
public struct QuantizedTensor: Sendable {
    /// The bytes that this tensor views.
    public let storage: Storage
    /// How they are to be read.
    public let format: QuantizationFormat
    /// The extents, outermost first; the last is a multiple of the block's.
    public let shape: Shape
    /// Where the first block begins in the storage; blocks need no alignment.
    public let byteOffset: Int
    /// What every number is multiplied by: 1 but for eight-bit floating point with a scale beside it.
    public let scale: Float

    /// Views blocks that must lie inside `storage`.
    public init(
        storage: Storage, format: QuantizationFormat, shape: Shape, byteOffset: Int = 0, scale: Float = 1
    ) {
        precondition(
            (shape.dimensions.last ?? 1) % format.blockElements == 0,
            "rows of \(shape) are no whole blocks of \(format)")
        let length = Self.byteCount(of: shape.count, format)
        precondition(
            byteOffset >= 0 && byteOffset + length <= storage.byteCount,
            "\(format) \(shape) at \(byteOffset) leaves \(storage.byteCount) bytes")
        self.storage = storage
        self.format = format
        self.shape = shape
        self.byteOffset = byteOffset
        self.scale = scale
    }

    /// Packs a floating-point tensor of finite numbers, on several threads.
    ///
    /// `Q8_0` and `Q4_0` take the scale of the block's largest number and give the bytes that ggml's own reference gives;
    /// the K formats search for the scales of the least squared error. The format must be writable and divide the rows.
    public init(quantizing tensor: Tensor, to format: QuantizationFormat) {
        precondition(format.isWritable, "\(format) is read only")
        precondition(tensor.dtype.isFloatingPoint, "quantising \(tensor.dtype)")
        let numbers = tensor.converted(to: .float32).contiguous()
        let storage = Storage(byteCount: Self.byteCount(of: tensor.count, format))
        self.init(storage: storage, format: format, shape: tensor.shape)
        let (elements, size) = (format.blockElements, format.blockByteCount)
        let source = UnsafePointer(numbers.pointer(to: Float.self))
        withExtendedLifetime(numbers) {
            parallelFor(blockCount, grain: max(1, 16384 / elements)) { blocks in
                diptych_quantize(
                    format.code, source + blocks.lowerBound * elements, storage.base + blocks.lowerBound * size,
                    blocks.count)
            }
        }
    }

    /// The number of blocks.
    public var blockCount: Int { shape.count / format.blockElements }

    /// The size of all blocks in bytes.
    public var byteCount: Int { Self.byteCount(of: shape.count, format) }

    /// Lends the blocks as they lie in the file.
    public func withBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
        try withExtendedLifetime(storage) {
            try body(UnsafeRawBufferPointer(start: storage.base + byteOffset, count: byteCount))
        }
    }

    /// A range along the first axis, of rows or of stacks of rows: a view.
    public func rows(_ range: Range<Int>) -> QuantizedTensor {
        precondition(shape.rank >= 2, "rows of \(format) \(shape)")
        precondition(range.lowerBound >= 0 && range.upperBound <= shape[0], "rows \(range) of \(shape)")
        var part = shape
        part[0] = range.count
        let row = shape[0] == 0 ? 0 : byteCount / shape[0]
        return QuantizedTensor(
            storage: storage, format: format, shape: part, byteOffset: byteOffset + range.lowerBound * row, scale: scale
        )
    }

    /// The same numbers in another shape, whose last extent must be a multiple of the block's too.
    public func reshaped(to shape: Shape) -> QuantizedTensor {
        precondition(shape.count == self.shape.count, "\(self.shape) as \(shape)")
        return QuantizedTensor(storage: storage, format: format, shape: shape, byteOffset: byteOffset, scale: scale)
    }

    /// The same blocks with every number multiplied by `factor` on reading.
    public func scaled(by factor: Float) -> QuantizedTensor {
        QuantizedTensor(
            storage: storage, format: format, shape: shape, byteOffset: byteOffset, scale: scale * factor)
    }

    /// Tensors of one format and scale, joined along the first axis.
    public static func concatenatedRows(_ parts: [QuantizedTensor]) -> QuantizedTensor {
        let first = parts[0]
        var shape = first.shape
        shape[0] = parts.reduce(0) { $0 + $1.shape[0] }
        let joined = Storage(byteCount: parts.reduce(0) { $0 + $1.byteCount })
        var end = 0
        for part in parts {
            precondition(
                part.format == first.format && part.scale == first.scale
                    && part.shape.dimensions.dropFirst() == first.shape.dimensions.dropFirst(),
                "joining \(part.format) \(part.shape) to \(first.format) \(first.shape)")
            (joined.base + end).copyMemory(from: part.storage.base + part.byteOffset, byteCount: part.byteCount)
            end += part.byteCount
        }
        return QuantizedTensor(storage: joined, format: first.format, shape: shape, scale: first.scale)
    }

    /// All numbers, rounded to a floating-point type, on several threads.
    ///
    /// In `float32` they are bit for bit those of the Python package `gguf`.
    public func dequantized(to dtype: DType = .float32) -> Tensor {
        precondition(dtype.isFloatingPoint, "\(format) as \(dtype)")
        let result = Tensor(uninitialized: shape, dtype: dtype)
        let elements = format.blockElements
        if dtype == .float32 {
            let y = result.pointer(to: Float.self)
            parallelFor(blockCount, grain: max(1, 16384 / elements)) { blocks in
                dequantize(blocks: blocks, into: y + blocks.lowerBound * elements)
            }
        } else if let half = HalfFormat(dtype) {
            let y = result.halves
            // As many as stay in the first-level cache.
            let chunk = max(1, 1024 / elements)
            parallelFor(blockCount, grain: max(1, 16384 / elements)) { blocks in
                withUnsafeTemporaryAllocation(of: Float.self, capacity: chunk * elements) { buffer in
                    for start in stride(from: blocks.lowerBound, to: blocks.upperBound, by: chunk) {
                        let run = start..<min(start + chunk, blocks.upperBound)
                        dequantize(blocks: run, into: buffer.baseAddress!)
                        half.narrow(buffer.baseAddress!, y + start * elements, run.count * elements)
                    }
                }
            }
        }
        return result
    }

    /// Writes the numbers of a run of blocks, counted from this tensor's first, in `float32`.
    package func dequantize(blocks: Range<Int>, into y: UnsafeMutablePointer<Float>) {
        precondition(blocks.lowerBound >= 0 && blocks.upperBound <= blockCount, "blocks \(blocks) of \(blockCount)")
        let start = storage.base + byteOffset + blocks.lowerBound * format.blockByteCount
        diptych_dequantize(format.code, start, y, blocks.count)
        if scale != 1 { for i in 0..<blocks.count * format.blockElements { y[i] *= scale } }
    }

    /// The rows of these numbers (`int32`, any shape) of a matrix: `[indices…, width]`. Only they are dequantised.
    public func gatheringRows(_ indices: Tensor, dtype: DType) -> Tensor {
        precondition(shape.rank == 2 && indices.dtype == .int32, "rows \(indices.dtype) of \(format) \(shape)")
        let numbers = indices.elements(as: Int32.self).map { Int($0) }
        precondition(numbers.allSatisfy { (0..<shape[0]).contains($0) }, "rows outside of \(shape)")
        let result = Tensor(uninitialized: Shape(indices.shape.dimensions + [shape[1]]))
        let y = result.pointer(to: Float.self)
        let (width, blocks) = (shape[1], shape[1] / format.blockElements)
        parallelFor(numbers.count, grain: max(1, 16384 / max(width, 1))) { part in
            for place in part {
                let first = numbers[place] * blocks
                dequantize(blocks: first..<first + blocks, into: y + place * width)
            }
        }
        return result.converted(to: dtype)
    }

    /// The sum of the squared differences from a contiguous `float32` tensor of the same shape, and that of its squares.
    public func squares(besides numbers: Tensor) -> (error: Double, numbers: Double) {
        precondition(numbers.shape == shape, "\(shape) besides \(numbers.shape)")
        let x = UnsafePointer(numbers.pointer(to: Float.self))
        let elements = format.blockElements
        return sumOfSquares(blockCount, of: elements, besides: x) { blocks, y in dequantize(blocks: blocks, into: y) }
    }

    private static func byteCount(of elements: Int, _ format: QuantizationFormat) -> Int {
        elements / format.blockElements * format.blockByteCount
    }
}

extension Tensor {
    /// The sum of the squared differences from another contiguous `float32` tensor of the same shape, and that of its
    /// squares.
    public func squares(besides numbers: Tensor) -> (error: Double, numbers: Double) {
        precondition(numbers.shape == shape, "\(shape) besides \(numbers.shape)")
        let (own, x) = (pointer(to: Float.self), UnsafePointer(numbers.pointer(to: Float.self)))
        return sumOfSquares(count, of: 1, besides: x) { range, y in
            y.update(from: own + range.lowerBound, count: range.count)
        }
    }
}

/// Sums over `count` blocks of `elements` numbers: squares of what `numbers` differ from what `fill` gives, and of
/// `numbers` themselves. Pieces of fixed size are added in order, so that the sums do not depend on the threads.
private func sumOfSquares(
    _ count: Int, of elements: Int, besides numbers: UnsafePointer<Float>,
    fill: (Range<Int>, UnsafeMutablePointer<Float>) -> Void
) -> (error: Double, numbers: Double) {
    let piece = max(1, 16384 / elements)
    let pieces = (count + piece - 1) / piece
    var sums = [Double](repeating: 0, count: 2 * pieces)
    sums.withUnsafeMutableBufferPointer { sums in
        let target = sums.baseAddress
        parallelFor(pieces, grain: 1) { range in
            withUnsafeTemporaryAllocation(of: Float.self, capacity: piece * elements) { buffer in
                let y = buffer.baseAddress!
                for index in range {
                    let blocks = index * piece..<min((index + 1) * piece, count)
                    fill(blocks, y)
                    let x = numbers + blocks.lowerBound * elements
                    var (error, square) = (0.0, 0.0)
                    for i in 0..<blocks.count * elements {
                        let difference = Double(x[i] - y[i])
                        error += difference * difference
                        square += Double(x[i]) * Double(x[i])
                    }
                    target![2 * index] = error
                    target![2 * index + 1] = square
                }
            }
        }
    }
    var (error, square) = (0.0, 0.0)
    for index in 0..<pieces {
        error += sums[2 * index]
        square += sums[2 * index + 1]
    }
    return (error, square)
}

extension MappedFile {
    /// A quantised tensor that views the file from `byteOffset` on.
    public func quantizedTensor(
        format: QuantizationFormat, shape: Shape, byteOffset: Int, scale: Float = 1
    ) -> QuantizedTensor {
        let length = shape.count / format.blockElements * format.blockByteCount
        precondition(byteOffset >= 0 && byteOffset + length <= byteCount, "view outside \(path)")
        return QuantizedTensor(
            storage: Storage(lent: base + byteOffset, byteCount: length, owner: self), format: format, shape: shape,
            scale: scale)
    }
}
