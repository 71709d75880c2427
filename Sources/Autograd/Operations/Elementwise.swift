public import TensorCore

/// Elementwise arithmetic; the adjoint sums over the axes that were broadcast.
extension Variable {
    /// Applies a function of one argument.
    public func applying(_ operation: UnaryOperation) -> Variable {
        let x = value
        return .recording(x.applying(operation), [self]) { [x.applyingGradient(operation, gradient: $0)] }
    }

    /// Sum.
    public static func + (a: Variable, b: Variable) -> Variable {
        let (shapeA, shapeB) = (a.shape, b.shape)
        let (needsA, needsB) = (a.requiresGradient, b.requiresGradient)
        return .recording(a.value + b.value, [a, b]) {
            [needsA ? $0.summed(to: shapeA) : nil, needsB ? $0.summed(to: shapeB) : nil]
        }
    }

    /// Difference.
    public static func - (a: Variable, b: Variable) -> Variable {
        let (shapeA, shapeB) = (a.shape, b.shape)
        let (needsA, needsB) = (a.requiresGradient, b.requiresGradient)
        return .recording(a.value - b.value, [a, b]) {
            [needsA ? $0.summed(to: shapeA) : nil, needsB ? (-$0).summed(to: shapeB) : nil]
        }
    }

    /// Elementwise product.
    public static func * (a: Variable, b: Variable) -> Variable {
        let (shapeA, shapeB) = (a.shape, b.shape)
        let forA = a.requiresGradient ? b.value : nil
        let forB = b.requiresGradient ? a.value : nil
        return .recording(a.value * b.value, [a, b]) { dy in
            [forA.map { (dy * $0).summed(to: shapeA) }, forB.map { (dy * $0).summed(to: shapeB) }]
        }
    }

    /// Quotient.
    public static func / (a: Variable, b: Variable) -> Variable {
        let (shapeA, shapeB) = (a.shape, b.shape)
        let needsA = a.requiresGradient
        let (y, divisor) = (a.value / b.value, b.value)
        let quotient = b.requiresGradient ? y : nil
        return .recording(y, [a, b]) { dy in
            let scaled = dy / divisor
            return [needsA ? scaled.summed(to: shapeA) : nil, quotient.map { (-(scaled * $0)).summed(to: shapeB) }]
        }
    }

    /// Every element plus a number.
    public static func + (a: Variable, b: Float) -> Variable { a.affine(shift: b) }
    /// Every element minus a number.
    public static func - (a: Variable, b: Float) -> Variable { a.affine(shift: -b) }
    /// Every element times a number.
    public static func * (a: Variable, b: Float) -> Variable { a.affine(scale: b) }
    /// Negation.
    public static prefix func - (a: Variable) -> Variable { a.affine(scale: -1) }

    /// `self * scale + shift`.
    public func affine(scale: Float = 1, shift: Float = 0) -> Variable {
        .recording(value.affine(scale: scale, shift: shift), [self]) { [$0 * scale] }
    }

    /// `mask ? a : b`; the mask is a constant.
    public static func select(_ mask: Tensor, _ a: Variable, _ b: Variable) -> Variable {
        let (shapeA, shapeB) = (a.shape, b.shape)
        let (needsA, needsB) = (a.requiresGradient, b.requiresGradient)
        return .recording(Tensor.select(mask, a.value, b.value), [a, b]) { dy in
            let zero = Tensor(zeros: [1], dtype: dy.dtype)
            return [
                needsA ? Tensor.select(mask, dy, zero).summed(to: shapeA) : nil,
                needsB ? Tensor.select(mask, zero, dy).summed(to: shapeB) : nil,
            ]
        }
    }
}
