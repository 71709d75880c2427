extension CPUBackend {
    /// See ``Backend/compare(_:_:_:)``.
    public func compare(_ relation: Relation, _ a: Tensor, _ b: Tensor) -> Tensor {
        switch relation {
        case .equal: compare(a, b) { $0 == $1 }
        case .less: compare(a, b) { $0 < $1 }
        case .lessOrEqual: compare(a, b) { $0 <= $1 }
        }
    }

    /// See ``Backend/select(_:_:_:)``.
    public func select(_ mask: Tensor, _ a: Tensor, _ b: Tensor) -> Tensor {
        switch a.dtype.byteCount {
        case 1: select(mask, a, b, UInt8.self)
        case 2: select(mask, a, b, UInt16.self)
        case 4: select(mask, a, b, UInt32.self)
        default: select(mask, a, b, UInt64.self)
        }
    }

    @inline(__always)
    private func select<Bits: BitwiseCopyable>(_ mask: Tensor, _ a: Tensor, _ b: Tensor, _: Bits.Type) -> Tensor {
        let result = Tensor(uninitialized: a.shape, dtype: a.dtype)
        // Named, so that the copies live as long as their pointers are used.
        let (dense, left, right) = (mask.contiguous(), a.contiguous(), b.contiguous())
        let size = MemoryLayout<Bits>.size
        let chosen = dense.pointer(to: Bool.self)
        let x = (left.storage.base + left.offset * size).assumingMemoryBound(to: Bits.self)
        let y = (right.storage.base + right.offset * size).assumingMemoryBound(to: Bits.self)
        let to = result.storage.base.assumingMemoryBound(to: Bits.self)
        parallelFor(result.count, grain: 1 << 16) { part in
            for i in part { to[i] = chosen[i] ? x[i] : y[i] }
        }
        return result
    }

    /// Two views of one shape, element by element; `float32` views are read as they lie, broadcast or not.
    @inline(__always)
    private func compare(_ a: Tensor, _ b: Tensor, _ relation: (Float, Float) -> Bool) -> Tensor {
        let a = a.dtype == .float32 ? a : copy(a, as: .float32)
        let b = b.dtype == .float32 ? b : copy(b, as: .float32)
        let result = Tensor(uninitialized: a.shape, dtype: .bool)
        if result.count == 0 { return result }
        let (x, y) = (a.stridedPointer(to: Float.self), b.stridedPointer(to: Float.self))
        let to = result.pointer(to: Bool.self)
        let loop = StridedLoop(a.shape, [a.strides, b.strides, result.strides])
        let length = loop.rowLength
        let (p, q) = (loop.step(0), loop.step(1))
        parallelFor(loop.rowCount, grain: max(1, (1 << 15) / length)) { rows in
            loop.forEachRow(in: rows) { _, offsets in
                let (u, v, w) = (x + offsets[0], y + offsets[1], to + offsets[2])
                if p == 1 && q == 1 {
                    for i in 0..<length { w[i] = relation(u[i], v[i]) }
                } else {
                    for i in 0..<length { w[i] = relation(u[i &* p], v[i &* q]) }
                }
            }
        }
        return result
    }
}
