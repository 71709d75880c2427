/// What numbers lost on their way into a narrower type.
public struct ConversionLoss: Sendable, Equatable {
    /// How many numbers that are not zero there were.
    public var numbers = 0
    /// How many of them became zero.
    public var vanished = 0
    /// How many finite ones became infinite.
    public var overflowed = 0

    /// Nothing yet.
    public init() {}

    /// Adds what other numbers lost.
    public static func += (a: inout ConversionLoss, b: ConversionLoss) {
        a.numbers += b.numbers
        a.vanished += b.vanished
        a.overflowed += b.overflowed
    }
}

extension Tensor {
    /// What the numbers of `original` lost when they became those of this tensor; both `float32`, of one shape.
    public func loss(from original: Tensor) -> ConversionLoss {
        precondition(shape == original.shape, "\(shape) beside \(original.shape)")
        let (narrow, wide) = (contiguous(), original.contiguous())
        let (y, x) = (UnsafePointer(narrow.pointer(to: Float.self)), UnsafePointer(wide.pointer(to: Float.self)))
        let piece = 1 << 16
        let pieces = (count + piece - 1) / piece
        var losses = [ConversionLoss](repeating: ConversionLoss(), count: pieces)
        losses.withUnsafeMutableBufferPointer { losses in
            let target = losses.baseAddress
            parallelFor(pieces, grain: 1) { range in
                for index in range {
                    var loss = ConversionLoss()
                    for i in index * piece..<min((index + 1) * piece, count) {
                        loss.numbers += x[i] != 0 ? 1 : 0
                        loss.vanished += x[i] != 0 && y[i] == 0 ? 1 : 0
                        loss.overflowed += x[i].isFinite && !y[i].isFinite ? 1 : 0
                    }
                    target![index] = loss
                }
            }
        }
        return losses.reduce(into: ConversionLoss()) { $0 += $1 }
    }
}
