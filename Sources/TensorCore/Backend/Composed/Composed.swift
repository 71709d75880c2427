/// A `float32` tensor whose arithmetic goes through the primitive operations of one backend: what the composed operations
/// are written with.
///
/// Operands broadcast by NumPy's rule, and every result is a fresh tensor.
struct Composed {
    let backend: any Backend
    /// `float32`, any strides.
    let value: Tensor

    /// A tensor of any type, converted if need be.
    init(_ x: Tensor, _ backend: any Backend) {
        self.backend = backend
        value = x.dtype == .float32 ? x : backend.copy(x, as: .float32)
    }

    /// The value without gaps, of type `dtype`, in a storage of its own: what an operation gives.
    func result(as dtype: DType = .float32) -> Tensor { backend.copy(value, as: dtype) }

    var shape: Shape { value.shape }

    // MARK: Arithmetic

    static func + (a: Composed, b: Composed) -> Composed { a.combined(.add, b) }
    static func - (a: Composed, b: Composed) -> Composed { a.combined(.subtract, b) }
    static func * (a: Composed, b: Composed) -> Composed { a.combined(.multiply, b) }
    static func / (a: Composed, b: Composed) -> Composed { a.combined(.divide, b) }
    static func + (a: Composed, b: Float) -> Composed { a + a.number(b) }
    static func * (a: Composed, b: Float) -> Composed { a * a.number(b) }
    static prefix func - (a: Composed) -> Composed { a.applying(.negate) }

    func applying(_ operation: UnaryOperation) -> Composed { with(backend.unary(operation, value)) }

    /// `1 / sqrt(self)`.
    var reciprocalRoot: Composed { applying(.squareRoot).applying(.reciprocal) }

    private func combined(_ operation: BinaryOperation, _ other: Composed) -> Composed {
        let (a, b) = broadcast(other)
        return with(backend.binary(operation, a, b))
    }

    /// A `bool` tensor: whether `self < bound`, or whether `self == bound`.
    func isLess(than bound: Composed) -> Tensor { compared(.less, bound) }
    func isEqual(to bound: Float) -> Tensor { compared(.equal, number(bound)) }

    private func compared(_ relation: Relation, _ other: Composed) -> Tensor {
        let (a, b) = broadcast(other)
        return backend.compare(relation, a, b)
    }

    /// `self` with `other` wherever `mask`, of this shape or one that broadcasts to it, holds.
    func replaced(where mask: Tensor, by other: Float) -> Composed {
        with(backend.select(mask.expanded(to: shape), number(other).value.expanded(to: shape), value))
    }

    private func broadcast(_ other: Composed) -> (Tensor, Tensor) {
        guard let shape = Shape.broadcast(shape, other.shape) else {
            preconditionFailure("cannot broadcast \(shape) with \(other.shape)")
        }
        return (value.expanded(to: shape), other.value.expanded(to: shape))
    }

    /// A scalar.
    func number(_ value: Float) -> Composed { with(Tensor(value)) }

    /// The numbers of the same backend.
    func with(_ x: Tensor) -> Composed { Composed(x, backend) }

    // MARK: Reductions; axes keep extent 1

    func sum(_ axes: Int...) -> Composed { reduced(.sum, axes) }
    func mean(_ axes: Int...) -> Composed { reduced(.mean, axes) }
    func maximum(_ axes: Int...) -> Composed { reduced(.maximum, axes) }

    private func reduced(_ reduction: Reduction, _ axes: [Int]) -> Composed {
        with(backend.reduce(reduction, value, axes: axes.map { shape.normalized(axis: $0) }.sorted()))
    }

    /// The sum of all elements: stretches of 1024 in `float32` or better, their sums in double precision.
    var total: Double {
        let flat = reshaped([shape.count])
        var total = 0.0
        let whole = shape.count / 1024 * 1024
        let stretches = flat.sliced(0, 0..<whole).reshaped([whole / 1024, 1024]).sum(1)
        for part in [stretches, flat.sliced(0, whole..<shape.count).sum(0)] {
            part.result().withUnsafeElements(of: Float.self) { for sum in $0 { total += Double(sum) } }
        }
        return total
    }

    // MARK: Views

    /// The same elements row-major under another shape, without -1; a copy where strides forbid a view.
    func reshaped(_ dimensions: [Int]) -> Composed {
        (value.isContiguous ? self : with(result())).onView { $0.reshaped(to: dimensions) }
    }

    func sliced(_ axis: Int, _ range: Range<Int>) -> Composed { onView { $0.sliced(axis: axis, range) } }
    func permuted(_ order: [Int]) -> Composed { onView { $0.permuted(order) } }
    func expanded(_ shape: Shape) -> Composed { onView { $0.expanded(to: shape) } }
    /// The last two axes exchanged.
    var transposed: Composed { onView { $0.transposed() } }

    private func onView(_ transform: (Tensor) -> Tensor) -> Composed { with(transform(value)) }

    /// Rows of the last axis.
    var rows: Composed {
        let length = shape[-1]
        return reshaped([length == 0 ? 0 : shape.count / length, length])
    }

    /// The matrix product over the last two axes.
    func product(_ other: Composed) -> Composed {
        with(backend.matrixProduct(value, other.value, bias: nil, dtype: .float32))
    }

    static func concatenated(_ parts: [Composed], axis: Int) -> Composed {
        parts[0].with(parts[0].backend.concatenate(parts.map(\.value), axis: axis))
    }
}

extension Backend {
    /// The tensor as an operand of composed operations.
    func composed(_ x: Tensor) -> Composed { Composed(x, self) }
}
