import Glibc

extension CPUBackend {
    /// See ``Backend/unary(_:_:)``.
    public func unary(_ operation: UnaryOperation, _ x: Tensor) -> Tensor {
        switch operation {
        case .negate: map(x) { -$0 }
        case .exponential: map(x) { exp($0) }
        case .logarithm: map(x) { log($0) }
        case .squareRoot: map(x) { $0.squareRoot() }
        case .reciprocal: map(x) { 1 / $0 }
        case .sine: map(x) { sin($0) }
        case .cosine: map(x) { cos($0) }
        case .sigmoid: map(x) { sigmoid($0) }
        case .tanh: map(x) { Self.tanh($0) }
        case .square: map(x) { $0 * $0 }
        case .absolute: map(x) { abs($0) }
        case .relu: map(x) { max($0, 0) }
        case .silu: map(x) { $0 * sigmoid($0) }
        case .gelu: map(x) { $0 * normalCumulative($0) }
        case .geluTanh: map(x) { 0.5 * $0 * (1 + Self.tanh(geluInner($0))) }
        case .quickGelu: map(x) { $0 * sigmoid(1.702 * $0) }
        }
    }

    /// See ``Backend/unaryGradient(_:_:gradient:)``.
    public func unaryGradient(_ operation: UnaryOperation, _ x: Tensor, gradient: Tensor) -> Tensor {
        switch operation {
        case .negate: zip(x, gradient) { -$1 }
        case .exponential: zip(x, gradient) { exp($0) * $1 }
        case .logarithm: zip(x, gradient) { $1 / $0 }
        case .squareRoot: zip(x, gradient) { $1 / (2 * $0.squareRoot()) }
        case .reciprocal: zip(x, gradient) { -$1 / ($0 * $0) }
        case .sine: zip(x, gradient) { cos($0) * $1 }
        case .cosine: zip(x, gradient) { -sin($0) * $1 }
        case .sigmoid:
            zip(x, gradient) {
                let s = sigmoid($0)
                return s * (1 - s) * $1
            }
        case .tanh:
            zip(x, gradient) {
                let t = Self.tanh($0)
                return (1 - t * t) * $1
            }
        case .square: zip(x, gradient) { 2 * $0 * $1 }
        case .absolute: zip(x, gradient) { $0 > 0 ? $1 : $0 < 0 ? -$1 : 0 }
        case .relu: zip(x, gradient) { $0 > 0 ? $1 : 0 }
        case .silu:
            zip(x, gradient) {
                let s = sigmoid($0)
                return s * (1 + $0 * (1 - s)) * $1
            }
        case .gelu: zip(x, gradient) { (normalCumulative($0) + $0 * 0.398_942_28 * exp(-0.5 * $0 * $0)) * $1 }
        case .geluTanh:
            zip(x, gradient) {
                let t = Self.tanh(geluInner($0))
                let inner = 0.797_884_56 * (1 + 3 * 0.044715 * $0 * $0)
                return (0.5 * (1 + t) + 0.5 * $0 * (1 - t * t) * inner) * $1
            }
        case .quickGelu:
            zip(x, gradient) {
                let s = sigmoid(1.702 * $0)
                return s * (1 + 1.702 * $0 * (1 - s)) * $1
            }
        }
    }

    /// See ``Backend/binary(_:_:_:)``.
    public func binary(_ operation: BinaryOperation, _ a: Tensor, _ b: Tensor) -> Tensor {
        switch operation {
        case .add: zip(a, b) { $0 + $1 }
        case .subtract: zip(a, b) { $0 - $1 }
        case .multiply: zip(a, b) { $0 * $1 }
        case .divide: zip(a, b) { $0 / $1 }
        case .maximum: zip(a, b) { $0 > $1 || $0.isNaN ? $0 : $1 }
        case .minimum: zip(a, b) { $0 < $1 || $0.isNaN ? $0 : $1 }
        }
    }

    /// See ``Backend/affine(_:scale:shift:)``.
    public func affine(_ x: Tensor, scale: Float, shift: Float) -> Tensor { map(x) { $0 * scale + shift } }

    /// See ``Backend/compare(_:_:_:)``.
    public func compare(_ relation: Relation, _ a: Tensor, _ b: Tensor) -> Tensor {
        switch relation {
        case .equal: zip(a, b, into: Bool.self) { $0 == $1 }
        case .less: zip(a, b, into: Bool.self) { $0 < $1 }
        case .lessOrEqual: zip(a, b, into: Bool.self) { $0 <= $1 }
        }
    }

    /// See ``Backend/select(_:_:_:)``.
    public func select(_ mask: Tensor, _ a: Tensor, _ b: Tensor) -> Tensor {
        let result = copy(b, as: b.dtype)
        // Named, so that the copies live as long as their pointers are used.
        let (dense, source) = (mask.contiguous(), a.contiguous())
        let chosen = dense.pointer(to: Bool.self)
        let size = a.dtype.byteCount
        let from = source.storage.base + source.offset * size
        let to = result.storage.base
        for i in 0..<result.count where chosen[i] {
            (to + i * size).copyMemory(from: from + i * size, byteCount: size)
        }
        return result
    }

    /// See ``Backend/accumulate(_:scale:into:targetScale:)``.
    public func accumulate(_ source: Tensor, scale sourceScale: Float, into target: Tensor, targetScale: Float) {
        guard target.dtype == .float32, target.isContiguous else {
            let sum = zip(target, source) { $0 * targetScale + $1 * sourceScale }
            assign(sum, to: target)
            return
        }
        let (x, y) = (float32(source), floats(target))
        let from = floats(x)
        parallelFor(target.count, grain: 1 << 16) { part in
            for i in part { y[i] = y[i] * targetScale + from[i] * sourceScale }
        }
    }

    @inline(__always)
    private func map(_ x: Tensor, _ function: (Float) -> Float) -> Tensor {
        let source = float32(x)
        let result = Tensor(uninitialized: x.shape)
        let (from, to) = (floats(source), floats(result))
        parallelFor(x.count, grain: 1 << 14) { part in
            for i in part { to[i] = function(from[i]) }
        }
        return rounded(result, to: x.dtype)
    }

    @inline(__always)
    private func zip(_ a: Tensor, _ b: Tensor, _ function: (Float, Float) -> Float) -> Tensor {
        rounded(zip(a, b, into: Float.self, function), to: a.dtype)
    }

    /// Two views of one shape, element by element; `float32` views are read as they lie, broadcast or not.
    @inline(__always)
    private func zip<Target: TensorElement>(
        _ a: Tensor, _ b: Tensor, into: Target.Type, _ function: (Float, Float) -> Target
    ) -> Tensor {
        let a = a.dtype == .float32 ? a : copy(a, as: .float32)
        let b = b.dtype == .float32 ? b : copy(b, as: .float32)
        let result = Tensor(uninitialized: a.shape, dtype: Target.dtype)
        if result.count == 0 { return result }
        let (x, y) = (a.stridedPointer(to: Float.self), b.stridedPointer(to: Float.self))
        let to = result.pointer(to: Target.self)
        let loop = StridedLoop(a.shape, [a.strides, b.strides, result.strides])
        let length = loop.rowLength
        let (p, q) = (loop.step(0), loop.step(1))
        if loop.rowCount == 1 && p == 1 && q == 1 {
            parallelFor(length, grain: 1 << 15) { part in
                for i in part { to[i] = function(x[i], y[i]) }
            }
            return result
        }
        parallelFor(loop.rowCount, grain: max(1, (1 << 14) / length)) { rows in
            loop.forEachRow(in: rows) { _, offsets in
                let (u, v, w) = (x + offsets[0], y + offsets[1], to + offsets[2])
                if p == 1 && q == 1 {
                    for i in 0..<length { w[i] = function(u[i], v[i]) }
                } else if p == 1 && q == 0 {
                    let right = v[0]
                    for i in 0..<length { w[i] = function(u[i], right) }
                } else {
                    for i in 0..<length { w[i] = function(u[i &* p], v[i &* q]) }
                }
            }
        }
        return result
    }

    @inline(__always)
    private static func tanh(_ x: Float) -> Float { Glibc.tanh(x) }
}

@inline(__always)
func sigmoid(_ x: Float) -> Float { 1 / (1 + exp(-x)) }

/// `erfc` keeps the relative precision of the left tail, which `1 + erf` loses.
@inline(__always)
private func normalCumulative(_ x: Float) -> Float { 0.5 * erfc(-0.707_106_78 * x) }

@inline(__always)
private func geluInner(_ x: Float) -> Float { 0.797_884_56 * (x + 0.044715 * x * x * x) }
