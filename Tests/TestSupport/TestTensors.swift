public import TensorCore

/// How the elements of a test's tensor lie in memory.
public enum Layout: String, CaseIterable, Sendable {
    /// Row-major without gaps.
    case dense
    /// Every other element of a larger block.
    case strided
    /// The first and the last axis exchanged in memory.
    case transposed
    /// Inside a larger block, behind an offset along the first axis.
    case offset
}

extension Tensor {
    /// Reproducible uniform numbers between the bounds, multiples of 1/1024 so that small steps from them are exact.
    public static func sample(_ shape: Shape, seed: UInt64, _ range: ClosedRange<Float> = -1...1) -> Tensor {
        var random = Random(seed: seed)
        let values = (0..<shape.count).map { _ -> Float in
            let value = range.lowerBound + (range.upperBound - range.lowerBound) * random.uniform()
            return (value * 1024).rounded() / 1024
        }
        return Tensor(values, shape)
    }

    /// The same values in another panel layout; surrounding elements, where there are any, are NaN or the like.
    public func laidOut(_ layout: Layout) -> Tensor {
        if rank == 0 { return self }
        switch layout {
        case .dense:
            return self
        case .strided:
            let gaps = Tensor(full: shape, .nan, dtype: dtype).unsqueezed(-1)
            return Tensor.concatenated([unsqueezed(-1), gaps], axis: -1).sliced(axis: -1, 0..<1).squeezed(-1)
        case .transposed:
            return transposed(0, -1).copied().transposed(0, -1)
        case .offset:
            var border = shape
            border[0] = 2
            let gaps = Tensor(full: border, .nan, dtype: dtype)
            return Tensor.concatenated([gaps, self, gaps], axis: 0).sliced(axis: 0, 2..<2 + shape[0])
        }
    }

    /// The largest difference from `expected`, relative to `max(1, |expected|)`; infinite if one of the two is not
    /// finite and the other does not equal it, or if their counts differ.
    public func error(from expected: [Double]) -> Double {
        let found = floats
        if found.count != expected.count { return .infinity }
        return zip(found, expected).reduce(0) { worst, pair in
            let (value, wanted) = (Double(pair.0), pair.1)
            if value == wanted || value.isNaN && wanted.isNaN { return worst }
            let difference = abs(value - wanted) / max(1, abs(wanted))
            return max(worst, difference.isFinite ? difference : .infinity)
        }
    }

    /// The largest difference from another tensor of the same shape; see ``error(from:)``.
    public func error(from expected: Tensor) -> Double {
        shape == expected.shape ? error(from: expected.floats.map { Double($0) }) : .infinity
    }

    /// Whether type, shape and every bit of every element agree.
    public func isIdentical(to other: Tensor) -> Bool {
        dtype == other.dtype && shape == other.shape && bytes == other.bytes
    }

    /// The bytes of the elements, row-major.
    private var bytes: [UInt8] {
        let dense = contiguous()
        let start = dense.offset * dtype.byteCount
        let view = Tensor(
            storage: dense.storage, dtype: .uint8, shape: [count * dtype.byteCount], offset: start)
        return view.elements(as: UInt8.self)
    }
}

/// A dense array of `Double`, what the tests compute their expectations with.
public struct Reference: Sendable {
    /// The extents.
    public let shape: Shape
    /// The elements, row-major.
    public var values: [Double]

    /// The elements of a tensor.
    public init(_ tensor: Tensor) {
        shape = tensor.shape
        values = tensor.floats.map { Double($0) }
    }

    /// One element for each index.
    public init(_ shape: Shape, _ element: ([Int]) -> Double) {
        self.shape = shape
        values = shape.allIndices.map(element)
    }

    /// The element at an index, whose leading axes may be more than this array's and whose extents broadcast.
    public subscript(_ index: [Int]) -> Double {
        var place = 0
        let lead = index.count - shape.rank
        for (axis, extent) in shape.dimensions.enumerated() {
            place = place * extent + (extent == 1 ? 0 : index[lead + axis])
        }
        return values[place]
    }

    /// The element at an index.
    public subscript(_ index: Int...) -> Double { self[index] }
}

extension Shape {
    /// Every index, row-major.
    public var allIndices: [[Int]] {
        dimensions.reduce([[]]) { prefixes, extent in prefixes.flatMap { prefix in (0..<extent).map { prefix + [$0] } }
        }
    }
}
