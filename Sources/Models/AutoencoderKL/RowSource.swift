import NeuralNet
import TensorCore

/// An image batch `[N, C, H, W]` that gives some rows at a time, so that nobody need hold the whole.
protocol RowSource: AnyObject {
    /// The extents of the whole.
    var shape: Shape { get }
    /// The rows of `range`: `[N, C, range.count, W]`, perhaps a view.
    func rows(_ range: Range<Int>) -> Tensor
}

/// An image in memory, which may be overwritten from top to bottom while its rows are still asked for.
final class StoredRows: RowSource {
    private let image: Tensor
    /// The rows above this one hold new values.
    private var front = 0
    /// The old values of the last rows above the front.
    private var saved: Tensor?
    /// How many of them: two 3 x 3 windows, one behind the other.
    private static let margin = 2

    init(_ image: Tensor) { self.image = image }

    var shape: Shape { image.shape }

    /// The whole, once nothing is overwritten any more.
    var whole: Tensor { image }

    func rows(_ range: Range<Int>) -> Tensor {
        guard range.lowerBound < front, let saved else { return image.sliced(axis: 2, range) }
        let first = front - saved.shape[2]
        precondition(range.lowerBound >= first, "row \(range.lowerBound) is overwritten")
        let old = saved.sliced(axis: 2, range.lowerBound - first..<min(range.upperBound, front) - first)
        if range.upperBound <= front { return old }
        return Tensor.concatenated([old, image.sliced(axis: 2, front..<range.upperBound)], axis: 2)
    }

    /// Puts what `other` gives in place of this image, `tile` rows at a time; `other` may be made of these rows and of
    /// at most two rows above and below.
    func overwrite(by other: any RowSource, tile: Int) {
        precondition(other.shape == shape, "overwriting \(shape) by \(other.shape)")
        for range in tiles(of: shape[2], tile) {
            let values = other.rows(range)
            let kept = max(0, range.upperBound - Self.margin)..<range.upperBound
            let old = rows(kept).copied()
            image.sliced(axis: 2, range).assign(values)
            (saved, front) = (old, range.upperBound)
        }
        (saved, front) = (nil, 0)
    }
}

/// A convolution of another image, computed for the rows that are asked for.
final class ConvolvedRows: RowSource {
    private let source: any RowSource
    private let convolution: Conv2D
    private let norm: ConvolutionStages.Norm?
    private let upsampling: Int
    private let residual: (any RowSource)?
    let shape: Shape
    /// What was given last: the next to ask often wants a part of it.
    private var last: (range: Range<Int>, values: Tensor)?

    /// The moments of a `norm` are taken in a pass over `source`, `tile` rows at a time.
    init(
        _ source: any RowSource, _ convolution: Conv2D, norm: GroupNorm? = nil, upsampling: Int = 1,
        residual: (any RowSource)? = nil, tile: Int
    ) {
        self.source = source
        self.convolution = convolution
        self.norm = norm.map { norm in
            let parts = tiles(of: source.shape[2], tile).map { Device.backend.rowMoments(source.rows($0)) }
            return norm.stage(
                moments: Device.backend.groupMoments(
                    .concatenated(parts, axis: 2), groups: norm.groups, width: source.shape[3], epsilon: norm.epsilon))
        }
        self.upsampling = upsampling
        self.residual = residual
        shape = convolution.options.outputShape(
            input: source.shape, weight: convolution.weightShape, stages: ConvolutionStages(upsampling: upsampling))
    }

    func rows(_ range: Range<Int>) -> Tensor {
        if let last, last.range.lowerBound <= range.lowerBound, range.upperBound <= last.range.upperBound {
            let start = last.range.lowerBound
            return last.values.sliced(axis: 2, range.lowerBound - start..<range.upperBound - start)
        }
        last = nil
        let options = convolution.options
        let high = (range.upperBound - 1) * options.stride - options.paddingLow + convolution.weightShape[2]
        let low = max(0, range.lowerBound * options.stride - options.paddingLow)
        let seen = low / upsampling..<min(source.shape[2], (high + upsampling - 1) / upsampling)
        let part = source.rows(seen)
        let values = convolution(
            part,
            stages: ConvolutionStages(
                norm: norm, upsampling: upsampling, residual: residual?.rows(range),
                window: .init(rows: range, firstRow: seen.lowerBound)))
        last = (range, values)
        return values
    }

    /// All rows, computed `tile` at a time.
    func stored(tile: Int, dtype: DType) -> Tensor {
        let result = Tensor(uninitialized: shape, dtype: dtype)
        for range in tiles(of: shape[2], tile) { result.sliced(axis: 2, range).assign(rows(range)) }
        last = nil
        return result
    }
}

/// `0..<count` in ranges of `size`, the last one shorter.
func tiles(of count: Int, _ size: Int) -> [Range<Int>] {
    stride(from: 0, to: count, by: size).map { $0..<min($0 + size, count) }
}
