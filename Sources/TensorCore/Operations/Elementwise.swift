/// Elementwise arithmetic. Operands broadcast by NumPy's rule and must have one type: conversions are spelled.
extension Tensor {
    /// Applies a function of one argument.
    public func applying(_ operation: UnaryOperation) -> Tensor { Device.backend.unary(operation, self) }

    /// `f'(self) * gradient`, the adjoint of ``applying(_:)``.
    public func applyingGradient(_ operation: UnaryOperation, gradient: Tensor) -> Tensor {
        Device.backend.unaryGradient(operation, self, gradient: gradient)
    }

    /// Applies a function of two arguments to broadcast operands.
    public static func applying(_ operation: BinaryOperation, _ a: Tensor, _ b: Tensor) -> Tensor {
        let (a, b) = aligned(a, b, for: operation.rawValue)
        return Device.backend.binary(operation, a, b)
    }

    /// Sum.
    public static func + (a: Tensor, b: Tensor) -> Tensor { applying(.add, a, b) }
    /// Difference.
    public static func - (a: Tensor, b: Tensor) -> Tensor { applying(.subtract, a, b) }
    /// Elementwise product.
    public static func * (a: Tensor, b: Tensor) -> Tensor { applying(.multiply, a, b) }
    /// Quotient.
    public static func / (a: Tensor, b: Tensor) -> Tensor { applying(.divide, a, b) }
    /// Every element plus a number.
    public static func + (a: Tensor, b: Float) -> Tensor { a.affine(shift: b) }
    /// Every element minus a number.
    public static func - (a: Tensor, b: Float) -> Tensor { a.affine(shift: -b) }
    /// Every element times a number.
    public static func * (a: Tensor, b: Float) -> Tensor { a.affine(scale: b) }
    /// Negation.
    public static prefix func - (a: Tensor) -> Tensor { a.applying(.negate) }

    /// `self * scale + shift`.
    public func affine(scale: Float = 1, shift: Float = 0) -> Tensor {
        Device.backend.affine(self, scale: scale, shift: shift)
    }

    /// A `bool` tensor that says where the relation holds between broadcast operands.
    public static func comparing(_ relation: Relation, _ a: Tensor, _ b: Tensor) -> Tensor {
        let (a, b) = aligned(a, b, for: relation.rawValue)
        return Device.backend.compare(relation, a, b)
    }

    /// `mask ? a : b` with everything broadcast to one shape.
    public static func select(_ mask: Tensor, _ a: Tensor, _ b: Tensor) -> Tensor {
        precondition(mask.dtype == .bool, "selecting by a mask of type \(mask.dtype)")
        let (a, b) = aligned(a, b, for: "select")
        guard let shape = Shape.broadcast(mask.shape, a.shape) else {
            preconditionFailure("cannot broadcast mask \(mask.shape) with \(a.shape)")
        }
        return Device.backend.select(mask.expanded(to: shape), a.expanded(to: shape), b.expanded(to: shape))
    }

    /// In place: `self = self * targetScale + source * scale`, `source` broadcast.
    public func accumulate(_ source: Tensor, scale: Float = 1, targetScale: Float = 1) {
        precondition(storage.isMutable, "writing into read-only storage")
        precondition(dtype == source.dtype, "accumulating \(source.dtype) into \(dtype)")
        Device.backend.accumulate(source.expanded(to: shape), scale: scale, into: self, targetScale: targetScale)
    }

    private static func aligned(_ a: Tensor, _ b: Tensor, for name: String) -> (Tensor, Tensor) {
        precondition(a.dtype == b.dtype, "\(name) of \(a.dtype) and \(b.dtype): convert one of them")
        if a.shape == b.shape { return (a, b) }
        guard let shape = Shape.broadcast(a.shape, b.shape) else {
            preconditionFailure("\(name): cannot broadcast \(a.shape) with \(b.shape)")
        }
        return (a.expanded(to: shape), b.expanded(to: shape))
    }
}
