/// The extents of a tensor, outermost first; `[]` is a scalar.
public struct Shape: Hashable, Sendable, ExpressibleByArrayLiteral, CustomStringConvertible {
    /// The extent of each axis.
    public var dimensions: [Int]

    /// Takes the extents of all axes, outermost first; none may be negative.
    public init(_ dimensions: [Int]) {
        precondition(dimensions.allSatisfy { $0 >= 0 }, "negative extent in shape \(dimensions)")
        self.dimensions = dimensions
    }

    /// Allows `[2, 3]` where a shape is expected.
    public init(arrayLiteral elements: Int...) { self.init(elements) }

    /// The number of axes.
    public var rank: Int { dimensions.count }

    /// The number of elements: the product of the extents, 1 for a scalar.
    public var count: Int { dimensions.reduce(1, *) }

    /// The extent of an axis; negative axes count from the end.
    public subscript(axis: Int) -> Int {
        get { dimensions[normalized(axis: axis)] }
        set { dimensions[normalized(axis: axis)] = newValue }
    }

    /// An axis counted from the front, whichever end it was counted from.
    public func normalized(axis: Int) -> Int {
        let positive = axis < 0 ? axis + rank : axis
        precondition(positive >= 0 && positive < rank, "axis \(axis) of a shape with \(rank) axes")
        return positive
    }

    /// Row-major strides in elements.
    public var contiguousStrides: [Int] {
        var strides = [Int](repeating: 1, count: rank)
        var step = 1
        for axis in stride(from: rank - 1, through: 0, by: -1) {
            strides[axis] = step
            step *= dimensions[axis]
        }
        return strides
    }

    /// The shape that both operands of an elementwise operation broadcast to (NumPy's rule), or nil if they do not fit.
    public static func broadcast(_ a: Shape, _ b: Shape) -> Shape? {
        let rank = max(a.rank, b.rank)
        var result = [Int](repeating: 1, count: rank)
        for back in 1..<(rank + 1) {
            let x = back <= a.rank ? a.dimensions[a.rank - back] : 1
            let y = back <= b.rank ? b.dimensions[b.rank - back] : 1
            guard x == y || x == 1 || y == 1 else { return nil }
            result[rank - back] = x == 1 ? y : x
        }
        return Shape(result)
    }

    /// For example `[2, 32, 64]`.
    public var description: String { dimensions.description }
}
