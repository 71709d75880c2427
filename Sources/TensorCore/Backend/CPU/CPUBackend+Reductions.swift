import CKernels

extension CPUBackend {
    /// See ``Backend/reduce(_:_:axes:)``. Sums run in double precision.
    public func reduce(_ reduction: Reduction, _ x: Tensor, axes: [Int]) -> Tensor {
        var shape = x.shape
        for axis in axes { shape[axis] = 1 }
        let result = Tensor(uninitialized: shape)
        if result.count == 0 { return rounded(result, to: x.dtype) }
        let length = axes.reduce(1) { $0 * x.shape[$1] }
        // Neighbouring axes are reduced where they lie, as [outer, length, inner]; otherwise they go last.
        let sorted = axes.sorted()
        let areNeighbours = !sorted.isEmpty && sorted.last! - sorted[0] == sorted.count - 1 && x.isContiguous
        let kept = (0..<x.rank).filter { !axes.contains($0) }
        let source = dense(areNeighbours ? x : x.permuted(kept + axes))
        let inner = areNeighbours ? x.shape.dimensions[(sorted.last! + 1)...].reduce(1, *) : 1
        let outer = result.count / inner
        let to = floats(result)
        if inner == 1 {
            parallelFor(outer, grain: max(1, (1 << 16) / max(length, 1))) { part in
                for row in part { to[row] = reduction.ofRow(source.type, source[row * length], length) }
            }
        } else {
            // Columns are independent of each other, so they may be shared out like rows.
            let blocks = (inner + 255) / 256
            parallelFor(outer * blocks, grain: max(1, (1 << 16) / max(length * min(inner, 256), 1))) { part in
                var piece = part.lowerBound
                while piece < part.upperBound {
                    // As many neighbouring blocks as this part has of one row.
                    let (row, block) = (piece / blocks, piece % blocks)
                    let end = min(blocks, block + part.upperBound - piece)
                    let (start, count) = (block * 256, min(end * 256, inner) - block * 256)
                    let (columns, sums) = (source[row * length * inner + start], to + row * inner + start)
                    switch reduction {
                    case .sum: diptych_sum_rows_as(source.type, columns, length, inner, count, 1, sums)
                    case .mean: diptych_sum_rows_as(source.type, columns, length, inner, count, Double(length), sums)
                    case .maximum: diptych_maximum_rows(source.type, columns, length, inner, count, sums)
                    }
                    piece += end - block
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
extension Reduction {
    fileprivate func ofRow(_ type: diptych_type, _ x: UnsafeRawPointer, _ count: Int) -> Float {
        switch self {
        case .sum: Float(diptych_sum_as(type, x, count))
        case .mean: Float(diptych_sum_as(type, x, count) / Double(count))
        case .maximum: diptych_maximum(type, x, count)
        }
    }
}
