import CKernels
import Glibc

extension CPUBackend {
    /// See ``Backend/unary(_:_:)``.
    public func unary(_ operation: UnaryOperation, _ x: Tensor) -> Tensor {
        guard let kernel = operation.kernel else {
            let function = operation == .sine ? { sinf($0) } : { cosf($0) }
            let source = float32(x)
            let result = Tensor(uninitialized: x.shape)
            let (from, to) = (floats(source), floats(result))
            parallelFor(x.count, grain: operation.grain) { part in for i in part { to[i] = function(from[i]) } }
            return rounded(result, to: x.dtype)
        }
        return map(x, grain: operation.grain) { type, x, y, count in diptych_unary_as(kernel, type, x, y, count) }
    }

    /// See ``Backend/unaryGradient(_:_:gradient:)``.
    public func unaryGradient(_ operation: UnaryOperation, _ x: Tensor, gradient: Tensor) -> Tensor {
        guard let kernel = operation.kernel else {
            let derivative = operation == .sine ? { cosf($0) } : { -sinf($0) }
            let (source, dy) = (float32(x), float32(gradient))
            let result = Tensor(uninitialized: x.shape)
            let (from, g, to) = (floats(source), floats(dy), floats(result))
            parallelFor(x.count, grain: operation.grain) { part in for i in part { to[i] = derivative(from[i]) * g[i] }
            }
            return rounded(result, to: x.dtype)
        }
        let (from, dy) = kernelTensors(x.contiguous(), gradient.contiguous())
        let result = Tensor(uninitialized: x.shape, dtype: from.tensor.dtype)
        let to = KernelTensor(result)
        parallelFor(x.count, grain: operation.grain) { part in
            let start = part.lowerBound
            diptych_unary_gradient(kernel, to.type, from[start], dy[start], to[start], part.count)
        }
        return rounded(result, to: x.dtype)
    }

    /// See ``Backend/binary(_:_:_:)``.
    public func binary(_ operation: BinaryOperation, _ a: Tensor, _ b: Tensor) -> Tensor {
        let kernel = operation.kernel
        let (x, y) = kernelTensors(a, b)
        let result = Tensor(uninitialized: a.shape, dtype: x.tensor.dtype)
        let to = KernelTensor(result)
        if a.count == 0 { return rounded(result, to: a.dtype) }
        let grain = 1 << 16
        func compute(_ i: Int, _ p: Int, _ j: Int, _ q: Int, _ k: Int, _ count: Int) {
            diptych_binary_as(
                kernel, to.type, diptych_run(x: x[i], step: p, stride: 0), diptych_run(x: y[j], step: q, stride: 0),
                to[k], 1, count)
        }
        if x.tensor.isContiguous && y.tensor.isContiguous {
            parallelFor(a.count, grain: grain) { part in
                compute(part.lowerBound, 1, part.lowerBound, 1, part.lowerBound, part.count)
            }
            return rounded(result, to: a.dtype)
        }
        let loop = StridedLoop(a.shape, [x.tensor.strides, y.tensor.strides, a.shape.contiguousStrides])
        let length = loop.rowLength
        let (p, q) = (loop.step(0), loop.step(1))
        if loop.rowCount == 1 {
            parallelFor(length, grain: grain) { part in
                compute(part.lowerBound * p, p, part.lowerBound * q, q, part.lowerBound, part.count)
            }
        } else if let s = loop.rowStride(0), let t = loop.rowStride(1) {
            parallelFor(loop.rowCount, grain: max(1, grain / length)) { rows in
                let row = rows.lowerBound
                diptych_binary_as(
                    kernel, to.type, diptych_run(x: x[row * s], step: p, stride: s),
                    diptych_run(x: y[row * t], step: q, stride: t), to[row * length], rows.count, length)
            }
        } else {
            parallelFor(loop.rowCount, grain: max(1, grain / length)) { rows in
                loop.forEachRow(in: rows) { _, offsets in compute(offsets[0], p, offsets[1], q, offsets[2], length) }
            }
        }
        return rounded(result, to: a.dtype)
    }

    /// See ``Backend/affine(_:scale:shift:)``.
    public func affine(_ x: Tensor, scale: Float, shift: Float) -> Tensor {
        map(x, grain: 1 << 16) { type, x, y, count in diptych_affine_as(type, x, scale, shift, y, count) }
    }

    /// See ``Backend/accumulate(_:scale:into:targetScale:)``.
    public func accumulate(_ source: Tensor, scale sourceScale: Float, into target: Tensor, targetScale: Float) {
        guard target.dtype.kernelType != nil, target.isContiguous else {
            let sum = copy(target, as: .float32)
            accumulate(source, scale: sourceScale, into: sum, targetScale: targetScale)
            assign(sum, to: target)
            return
        }
        let (x, y) = (dense(source), KernelTensor(target))
        parallelFor(target.count, grain: 1 << 16) { part in
            let start = part.lowerBound
            diptych_accumulate(x.type, x[start], sourceScale, y.type, y[start], targetScale, part.count)
        }
    }

    /// `x` through a kernel on runs of elements, blind to where a run lies in the tensor.
    private func map(
        _ x: Tensor, grain: Int,
        _ kernel: (diptych_type, UnsafeRawPointer, UnsafeMutableRawPointer, Int) -> Void
    ) -> Tensor {
        let from = dense(x)
        let result = Tensor(uninitialized: x.shape, dtype: from.tensor.dtype)
        let to = KernelTensor(result)
        parallelFor(x.count, grain: grain) { part in
            kernel(to.type, from[part.lowerBound], to[part.lowerBound], part.count)
        }
        return rounded(result, to: x.dtype)
    }
}

extension UnaryOperation {
    /// The kernel's number; nil where the C library's function is used.
    fileprivate var kernel: diptych_unary_function? {
        switch self {
        case .negate: DIPTYCH_NEGATE
        case .exponential: DIPTYCH_EXPONENTIAL
        case .logarithm: DIPTYCH_LOGARITHM
        case .squareRoot: DIPTYCH_SQUARE_ROOT
        case .reciprocal: DIPTYCH_RECIPROCAL
        case .sine, .cosine: nil
        case .sigmoid: DIPTYCH_SIGMOID
        case .tanh: DIPTYCH_TANH
        case .square: DIPTYCH_SQUARE
        case .absolute: DIPTYCH_ABSOLUTE
        case .relu: DIPTYCH_RELU
        case .silu: DIPTYCH_SILU
        case .gelu: DIPTYCH_GELU
        case .geluTanh: DIPTYCH_GELU_TANH
        case .quickGelu: DIPTYCH_QUICK_GELU
        }
    }

    /// As many elements as are worth another thread: it takes some ten microseconds to wake.
    fileprivate var grain: Int {
        switch self {
        case .negate, .squareRoot, .reciprocal, .square, .absolute, .relu: 1 << 16
        case .sine, .cosine: 1 << 13
        default: 1 << 15
        }
    }
}

extension BinaryOperation {
    fileprivate var kernel: diptych_binary_function {
        switch self {
        case .add: DIPTYCH_ADD
        case .subtract: DIPTYCH_SUBTRACT
        case .multiply: DIPTYCH_MULTIPLY
        case .divide: DIPTYCH_DIVIDE
        case .maximum: DIPTYCH_MAXIMUM
        case .minimum: DIPTYCH_MINIMUM
        }
    }
}
