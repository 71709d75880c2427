extension Backend {
    /// The default: `x * scale + shift` in `float32`.
    public func affine(_ x: Tensor, scale: Float, shift: Float) -> Tensor {
        (composed(x) * scale + shift).result(as: x.dtype)
    }

    /// The default: the sum in a tensor of its own, then an assignment.
    public func accumulate(_ source: Tensor, scale sourceScale: Float, into target: Tensor, targetScale: Float) {
        precondition(target.storage.isMutable, "writing into read-only storage")
        assign((composed(target) * targetScale + composed(source) * sourceScale).value, to: target)
    }

    /// The default: the derivative in terms of the elementwise functions, times the gradient.
    public func unaryGradient(_ operation: UnaryOperation, _ x: Tensor, gradient: Tensor) -> Tensor {
        (operation.derivative(composed(x)) * composed(gradient)).result(as: x.dtype)
    }
}

extension UnaryOperation {
    /// `f'(x)`; 0 at the kinks of ``absolute`` and ``relu``.
    fileprivate func derivative(_ x: Composed) -> Composed {
        let zero = x.number(0)
        func one(where mask: Tensor) -> Composed { zero.expanded(x.shape).replaced(where: mask, by: 1) }
        switch self {
        case .negate: return x.number(-1)
        case .exponential: return x.applying(.exponential)
        case .logarithm: return x.applying(.reciprocal)
        case .squareRoot: return x.applying(.squareRoot).applying(.reciprocal) * 0.5
        case .reciprocal: return -x.applying(.reciprocal).applying(.square)
        case .sine: return x.applying(.cosine)
        case .cosine: return -x.applying(.sine)
        case .sigmoid:
            let y = x.applying(.sigmoid)
            return y * (-y + 1)
        case .tanh: return -x.applying(.tanh).applying(.square) + 1
        case .square: return x * 2
        case .absolute: return one(where: zero.isLess(than: x)) - one(where: x.isLess(than: zero))
        case .relu: return one(where: zero.isLess(than: x))
        case .silu:
            let y = x.applying(.sigmoid)
            return y * (x * (-y + 1) + 1)
        case .gelu:
            // Phi(x) + x phi(x), with Phi(x) = gelu(x) / x but at 0.
            let isSmall = x.applying(.absolute).isLess(than: x.number(1e-30))
            let nearby = x.replaced(where: isSmall, by: 1)
            let cumulative = (nearby.applying(.gelu) / nearby).replaced(where: isSmall, by: 0.5)
            let density = (x.applying(.square) * -0.5).applying(.exponential) * 0.3989_4228
            return cumulative + x * density
        case .geluTanh:
            // 0.5 (1 + tanh u) + 0.5 x (1 - tanh^2 u) u', u = sqrt(2 / pi) (x + 0.044715 x^3).
            let (root, cubic): (Float, Float) = (0.7978_8456, 0.044715)
            let square = x.applying(.square)
            let y = (x * (square * cubic + 1) * root).applying(.tanh)
            let inner = (square * (3 * cubic) + 1) * root
            return (y + 1) * 0.5 + x * (-y.applying(.square) + 1) * inner * 0.5
        case .quickGelu:
            let y = (x * 1.702).applying(.sigmoid)
            return y * (x * (-y + 1) * 1.702 + 1)
        }
    }
}
