extension CPUBackend {
    /// See ``Backend/reduce(_:_:axes:)``. Sums run in double precision.
    public func reduce(_ reduction: Reduction, _ x: Tensor, axes: [Int]) -> Tensor {
        // The reduced axes go last, so that each result is one row.
        let kept = (0..<x.rank).filter { !axes.contains($0) }
        let rows = kept.reduce(1) { $0 * x.shape[$1] }
        let length = axes.reduce(1) { $0 * x.shape[$1] }
        let source = float32(x.permuted(kept + axes))
        var shape = x.shape
        for axis in axes { shape[axis] = 1 }
        let result = Tensor(uninitialized: shape)
        let (from, to) = (floats(source), floats(result))
        parallelFor(rows, grain: max(1, (1 << 14) / max(length, 1))) { part in
            for row in part {
                let values = UnsafeBufferPointer(start: from + row * length, count: length)
                switch reduction {
                case .sum: to[row] = Float(sum(values))
                case .mean: to[row] = Float(sum(values) / Double(length))
                case .maximum: to[row] = values.reduce(-.infinity) { $1 > $0 || $1.isNaN ? $1 : $0 }
                }
            }
        }
        return rounded(result, to: x.dtype)
    }

    /// See ``Backend/topKMask(_:k:)``.
    public func topKMask(_ x: Tensor, k: Int) -> Tensor {
        let source = float32(x)
        let length = x.shape[-1]
        let result = Tensor(zeros: x.shape, dtype: .bool)
        let (from, to) = (floats(source), result.pointer(to: Bool.self))
        for row in 0..<(length == 0 ? 0 : x.count / length) {
            let (values, mask) = (from + row * length, to + row * length)
            for _ in 0..<k {
                var best = -1
                for i in 0..<length where !mask[i] && (best < 0 || values[i] > values[best]) { best = i }
                mask[best] = true
            }
        }
        return result
    }

    /// See ``Backend/argmax(_:)``.
    public func argmax(_ x: Tensor) -> Tensor {
        let source = float32(x)
        let length = x.shape[-1]
        let result = Tensor(zeros: Shape(Array(x.shape.dimensions.dropLast())), dtype: .int32)
        let (from, to) = (floats(source), result.pointer(to: Int32.self))
        for row in 0..<result.count {
            let values = from + row * length
            var best = 0
            for i in 1..<max(length, 1) where values[i] > values[best] { best = i }
            to[row] = Int32(best)
        }
        return result
    }
}

/// Four accumulators, so that the additions overlap; double precision, so that their order hardly matters.
@inline(__always)
func sum(_ values: UnsafeBufferPointer<Float>) -> Double {
    var lanes = SIMD4<Double>.zero
    let whole = values.count & ~3
    var i = 0
    while i < whole {
        lanes += SIMD4(Double(values[i]), Double(values[i + 1]), Double(values[i + 2]), Double(values[i + 3]))
        i += 4
    }
    var total = lanes.sum()
    while i < values.count {
        total += Double(values[i])
        i += 1
    }
    return total
}
