import CKernels

extension CPUBackend {
    /// See ``Backend/copy(_:as:)``.
    public func copy(_ x: Tensor, as dtype: DType) -> Tensor {
        let dense = x.isContiguous && x.dtype != dtype ? x : gathered(x)
        return dense.dtype == dtype ? dense : converted(dense, to: dtype)
    }

    /// See ``Backend/assign(_:to:)``.
    public func assign(_ source: Tensor, to target: Tensor) {
        move(source.dtype == target.dtype ? source : copy(source, as: target.dtype), to: target)
    }

    /// See ``Backend/concatenate(_:axis:)``.
    public func concatenate(_ parts: [Tensor], axis: Int) -> Tensor {
        var shape = parts[0].shape
        shape[axis] = parts.reduce(0) { $0 + $1.shape[axis] }
        let result = Tensor(uninitialized: shape, dtype: parts[0].dtype)
        var start = 0
        for part in parts {
            let end = start + part.shape[axis]
            move(part, to: result.sliced(axis: axis, start..<end))
            start = end
        }
        return result
    }

    /// See ``Backend/pad(_:low:high:value:)``.
    public func pad(_ x: Tensor, low: [Int], high: [Int], value: Float) -> Tensor {
        let shape = Shape((0..<x.rank).map { x.shape[$0] + low[$0] + high[$0] })
        let result = Tensor(full: shape, value, dtype: x.dtype)
        var inner = result
        for axis in 0..<x.rank { inner = inner.sliced(axis: axis, low[axis]..<low[axis] + x.shape[axis]) }
        move(x, to: inner)
        return result
    }

    /// A contiguous copy of the same type.
    private func gathered(_ x: Tensor) -> Tensor {
        let result = Tensor(uninitialized: x.shape, dtype: x.dtype)
        move(x, to: result)
        return result
    }

    /// Copies elements of one type between any two views of one shape.
    private func move(_ source: Tensor, to target: Tensor) {
        switch source.dtype.byteCount {
        case 1: moveElements(source, target, UInt8.self)
        case 2: moveElements(source, target, UInt16.self)
        case 4: moveElements(source, target, UInt32.self)
        default: moveElements(source, target, UInt64.self)
        }
    }

    private func moveElements<Bits: BitwiseCopyable>(_ source: Tensor, _ target: Tensor, _: Bits.Type) {
        let count = source.count
        if count == 0 { return }
        let from = (source.storage.base + source.offset * MemoryLayout<Bits>.size).assumingMemoryBound(to: Bits.self)
        let to = (target.storage.base + target.offset * MemoryLayout<Bits>.size).assumingMemoryBound(to: Bits.self)
        if source.isContiguous && target.isContiguous {
            parallelFor(count, grain: 1 << 18) { part in
                (to + part.lowerBound).update(from: from + part.lowerBound, count: part.count)
            }
            return
        }
        if source.rank == 2 && source.strides[0] == 1 && target.strides[1] == 1 {
            return turnElements(from, source.strides[1], to, target.strides[0], source.shape)
        }
        let loop = StridedLoop(source.shape, [source.strides, target.strides])
        let length = loop.rowLength
        let (a, b) = (loop.step(0), loop.step(1))
        parallelFor(loop.rowCount, grain: max(1, (1 << 16) / length)) { rows in
            loop.forEachRow(in: rows) { _, offsets in
                let (x, y) = (from + offsets[0], to + offsets[1])
                if a == 1 && b == 1 {
                    y.update(from: x, count: length)
                } else {
                    for i in 0..<length { y[i &* b] = x[i &* a] }
                }
            }
        }
    }

    /// Copies a matrix whose columns lie contiguous, `fromStep` elements apart, into rows `toStep` apart: by pieces of as
    /// many rows as a cache line holds, and of few columns, which often share a set of the cache.
    private func turnElements<Bits: BitwiseCopyable>(
        _ from: UnsafeMutablePointer<Bits>, _ fromStep: Int, _ to: UnsafeMutablePointer<Bits>, _ toStep: Int,
        _ shape: Shape
    ) {
        let (rows, columns) = (shape[0], shape[1])
        let (height, width) = (64 / MemoryLayout<Bits>.size, 8)
        parallelFor((rows + height - 1) / height, grain: max(1, (1 << 16) / (height * columns))) { part in
            for first in stride(from: part.lowerBound * height, to: min(part.upperBound * height, rows), by: height) {
                for left in stride(from: 0, to: columns, by: width) {
                    let right = min(left + width, columns)
                    for row in first..<min(first + height, rows) {
                        for column in left..<right { to[row &* toStep &+ column] = from[column &* fromStep &+ row] }
                    }
                }
            }
        }
    }

    private func converted(_ x: Tensor, to dtype: DType) -> Tensor {
        if let half = HalfFormat(x.dtype), dtype == .float32 {
            let result = Tensor(uninitialized: x.shape)
            let (from, to) = (x.halves, floats(result))
            parallelFor(x.count, grain: 1 << 16) { part in
                half.widen(from + part.lowerBound, to + part.lowerBound, part.count)
            }
            return result
        }
        if let half = HalfFormat(dtype), x.dtype == .float32 {
            let result = Tensor(uninitialized: x.shape, dtype: dtype)
            let (from, to) = (floats(x), result.halves)
            parallelFor(x.count, grain: 1 << 16) { part in
                half.narrow(from + part.lowerBound, to + part.lowerBound, part.count)
            }
            return result
        }
        return switch x.dtype {
        case .float32: convert(x, to: dtype) { (v: Float) in v }
        case .bfloat16: convert(x, to: dtype) { (v: BFloat16) in v.float }
        case .float16: convert(x, to: dtype) { (v: Float16) in Float(v) }
        case .int32: convertInteger(x, to: dtype, Int32.self)
        case .int64: convertInteger(x, to: dtype, Int64.self)
        case .uint8: convertInteger(x, to: dtype, UInt8.self)
        case .bool: convert(x, to: dtype) { (v: Bool) in v ? 1 : 0 }
        }
    }

    /// From a type whose values `Float` holds exactly.
    private func convert<Source: TensorElement>(_ x: Tensor, to dtype: DType, _ value: (Source) -> Float) -> Tensor {
        switch dtype {
        case .float32: map(x) { value($0) }
        case .bfloat16: map(x) { BFloat16(value($0)) }
        case .float16: map(x) { Float16(value($0)) }
        case .int32: map(x) { saturated(value($0), Int32.self) }
        case .int64: map(x) { saturated(value($0), Int64.self) }
        case .uint8: map(x) { saturated(value($0), UInt8.self) }
        case .bool: map(x) { value($0) != 0 }
        }
    }

    private func convertInteger<Source: TensorElement & FixedWidthInteger>(
        _ x: Tensor, to dtype: DType, _: Source.Type
    ) -> Tensor {
        switch dtype {
        case .float32: map(x) { (v: Source) in Float(v) }
        case .bfloat16: map(x) { (v: Source) in BFloat16(Float(v)) }
        case .float16: map(x) { (v: Source) in Float16(Float(v)) }
        case .int32: map(x) { (v: Source) in Int32(clamping: v) }
        case .int64: map(x) { (v: Source) in Int64(v) }
        case .uint8: map(x) { (v: Source) in UInt8(clamping: v) }
        case .bool: map(x) { (v: Source) in v != 0 }
        }
    }

    @inline(__always)
    private func map<Source: TensorElement, Target: TensorElement>(
        _ x: Tensor, _ transform: (Source) -> Target
    ) -> Tensor {
        let result = Tensor(uninitialized: x.shape, dtype: Target.dtype)
        let from = x.pointer(to: Source.self)
        let to = result.pointer(to: Target.self)
        parallelFor(x.count, grain: 1 << 16) { part in
            for i in part { to[i] = transform(from[i]) }
        }
        return result
    }
}

/// Towards zero, clamped to the range of the integer type; NaN gives 0.
private func saturated<Target: FixedWidthInteger>(_ value: Float, _: Target.Type) -> Target {
    if value.isNaN { return 0 }
    if value <= Float(Target.min) { return .min }
    if value >= Float(Target.max) { return .max }
    return Target(value)
}
