import CKernels
import Glibc

extension CPUBackend {
    /// See ``Backend/unary(_:_:)``.
    public func unary(_ operation: UnaryOperation, _ x: Tensor) -> Tensor {
        guard let kernel = operation.kernel else {
            let function = operation == .sine ? { sinf($0) } : { cosf($0) }
            return map(x, grain: operation.grain) { x, y, count in
                for i in 0..<count { y[i] = function(x[i]) }
            }
        }
        return map(x, grain: operation.grain) { x, y, count in diptych_unary(kernel, x, y, count) }
    }

    /// See ``Backend/unaryGradient(_:_:gradient:)``.
    public func unaryGradient(_ operation: UnaryOperation, _ x: Tensor, gradient: Tensor) -> Tensor {
        // Dense, so that both have unit steps along every row.
        let (x, dy) = (dense(x), dense(gradient))
        guard let kernel = operation.kernel else {
            let slope = operation == .sine ? { cosf($0) } : { -sinf($0) }
            return zip(x, dy, grain: operation.grain) { x, _, dy, _, dx, count in
                for i in 0..<count { dx[i] = slope(x[i]) * dy[i] }
            }
        }
        return zip(x, dy, grain: operation.grain) { x, _, dy, _, dx, count in
            diptych_unary_gradient(kernel, x, dy, dx, count)
        }
    }

    /// See ``Backend/binary(_:_:_:)``.
    public func binary(_ operation: BinaryOperation, _ a: Tensor, _ b: Tensor) -> Tensor {
        let kernel = operation.kernel
        return zip(a, b, grain: 1 << 16) { x, p, y, q, z, count in diptych_binary(kernel, x, p, y, q, z, count) }
    }

    /// See ``Backend/affine(_:scale:shift:)``.
    public func affine(_ x: Tensor, scale: Float, shift: Float) -> Tensor {
        map(x, grain: 1 << 16) { x, y, count in diptych_affine(x, scale, shift, y, count) }
    }

    /// See ``Backend/accumulate(_:scale:into:targetScale:)``.
    public func accumulate(_ source: Tensor, scale sourceScale: Float, into target: Tensor, targetScale: Float) {
        guard target.dtype == .float32, target.isContiguous else {
            let sum = copy(target, as: .float32)
            accumulate(source, scale: sourceScale, into: sum, targetScale: targetScale)
            assign(sum, to: target)
            return
        }
        let (x, y) = (float32(source), floats(target))
        let from = floats(x)
        parallelFor(target.count, grain: 1 << 16) { part in
            let start = part.lowerBound
            diptych_accumulate(from + start, sourceScale, y + start, targetScale, part.count)
        }
    }

    private func dense(_ x: Tensor) -> Tensor { x.isContiguous ? x : copy(x, as: x.dtype) }

    /// A kernel on a run of elements, blind to where the run lies in the tensor.
    private typealias Run = (UnsafePointer<Float>, UnsafeMutablePointer<Float>, Int) -> Void
    /// A kernel on two runs, each with a step, and a dense result.
    private typealias PairedRun = (
        UnsafePointer<Float>, Int, UnsafePointer<Float>, Int, UnsafeMutablePointer<Float>, Int
    ) -> Void

    /// `x` through a kernel; 16-bit elements are widened and narrowed block by block, in the cache.
    private func map(_ x: Tensor, grain: Int, _ kernel: Run) -> Tensor {
        guard let half = HalfFormat(x.dtype) else {
            let source = float32(x)
            let result = Tensor(uninitialized: x.shape)
            let (from, to) = (floats(source), floats(result))
            parallelFor(x.count, grain: grain) { part in
                kernel(from + part.lowerBound, to + part.lowerBound, part.count)
            }
            return rounded(result, to: x.dtype)
        }
        let source = dense(x)
        let result = Tensor(uninitialized: x.shape, dtype: x.dtype)
        let (from, to) = (source.halves, result.halves)
        parallelFor(x.count, grain: grain) { part in
            withUnsafeTemporaryAllocation(of: Float.self, capacity: HalfFormat.block) { buffer in
                let block = buffer.baseAddress!
                for start in stride(from: part.lowerBound, to: part.upperBound, by: HalfFormat.block) {
                    let count = min(HalfFormat.block, part.upperBound - start)
                    half.widen(from + start, block, count)
                    kernel(block, block, count)
                    half.narrow(block, to + start, count)
                }
            }
        }
        return result
    }

    /// Two views of one shape through a kernel, row by row as they lie, broadcast or not.
    private func zip(_ a: Tensor, _ b: Tensor, grain: Int, _ kernel: PairedRun) -> Tensor {
        if let half = HalfFormat(a.dtype), a.dtype == b.dtype {
            let result = Tensor(uninitialized: a.shape, dtype: a.dtype)
            let (x, y, to) = (a.halves, b.halves, result.halves)
            forEachRun(a, b, grain: grain) { i, p, j, q, k, count in
                half.withWidened(x + i, p, y + j, q, to + k, count, kernel)
            }
            return result
        }
        let u = a.dtype == .float32 ? a : copy(a, as: .float32)
        let v = b.dtype == .float32 ? b : copy(b, as: .float32)
        let result = Tensor(uninitialized: a.shape)
        let (x, y, to) = (u.stridedPointer(to: Float.self), v.stridedPointer(to: Float.self), floats(result))
        forEachRun(u, v, grain: grain) { i, p, j, q, k, count in kernel(x + i, p, y + j, q, to + k, count) }
        return rounded(result, to: a.dtype)
    }

    /// Calls `body` with the offset and the step of runs of elements in `a` and in `b`, the offset in a dense result,
    /// and the length.
    private func forEachRun(
        _ a: Tensor, _ b: Tensor, grain: Int, _ body: (Int, Int, Int, Int, Int, Int) -> Void
    ) {
        let count = a.count
        if count == 0 { return }
        if a.isContiguous && b.isContiguous {
            parallelFor(count, grain: grain) { part in
                body(part.lowerBound, 1, part.lowerBound, 1, part.lowerBound, part.count)
            }
            return
        }
        let loop = StridedLoop(a.shape, [a.strides, b.strides, a.shape.contiguousStrides])
        let length = loop.rowLength
        let (p, q) = (loop.step(0), loop.step(1))
        if loop.rowCount == 1 {
            parallelFor(length, grain: grain) { part in
                body(part.lowerBound * p, p, part.lowerBound * q, q, part.lowerBound, part.count)
            }
            return
        }
        parallelFor(loop.rowCount, grain: max(1, grain / length)) { rows in
            loop.forEachRow(in: rows) { _, offsets in body(offsets[0], p, offsets[1], q, offsets[2], length) }
        }
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
