import CKernels

extension CPUBackend {
    /// See ``Backend/modulatedNorm(_:scale:shift:epsilon:)``. Each row is read and written once.
    public func modulatedNorm(_ x: Tensor, scale: Tensor, shift: Tensor, epsilon: Float) -> Tensor {
        let rows = ModulatedRows(x)
        let (weight, bias) = (affine(float32(scale), scale: 1, shift: 1), float32(shift))
        let (w, s) = (floats(weight), floats(bias))
        let result = Tensor(uninitialized: x.shape, dtype: x.dtype)
        let source = RowReader(x.contiguous())
        let target = RowWriter(result)
        rows.forEach { row, batch, buffer in
            let line = source.row(row, rows.length, buffer)
            let (mean, reciprocal) = moments(line, rows.length, epsilon)
            target.write(row, rows.length, buffer + rows.length) {
                diptych_normalize(
                    line, mean, reciprocal, w + batch * rows.length, s + batch * rows.length, $0, rows.length)
            }
        }
        return result
    }

    /// See ``Backend/modulatedNormGradient(_:scale:epsilon:gradient:needsInput:needsModulation:)``.
    public func modulatedNormGradient(
        _ x: Tensor, scale: Tensor, epsilon: Float, gradient: Tensor, needsInput: Bool, needsModulation: Bool
    ) -> (input: Tensor?, scale: Tensor?, shift: Tensor?) {
        let rows = ModulatedRows(x)
        let length = rows.length
        // The sums over columns read both again.
        let (source, dy) = (float32(x), float32(gradient))
        let (from, g) = (floats(source), floats(dy))
        let weight = affine(float32(scale), scale: 1, shift: 1)
        let w = floats(weight)
        let found = Tensor(uninitialized: [2, max(rows.count, 1)])
        let (means, reciprocals) = (floats(found), floats(found) + max(rows.count, 1))
        let dx = needsInput ? Tensor(uninitialized: x.shape, dtype: x.dtype) : nil
        let target = dx.map { RowWriter($0) }
        rows.forEach { row, batch, buffer in
            let (a, b) = (from + row * length, g + row * length)
            let (mean, reciprocal) = moments(a, length, epsilon)
            (means[row], reciprocals[row]) = (mean, reciprocal)
            guard let target else { return }
            let factors = w + batch * length
            var (sum, dot) = (0.0, 0.0)
            diptych_normalize_gradient_sums(a, mean, reciprocal, factors, b, length, &sum, &dot)
            target.write(row, length, buffer) {
                diptych_normalize_gradient(
                    a, mean, reciprocal, factors, 1, b, Float(sum / Double(length)), Float(dot / Double(length)), $0,
                    length)
            }
        }
        guard needsModulation else { return (dx, nil, nil) }
        let (dw, ds) = (Tensor(uninitialized: scale.shape), Tensor(uninitialized: scale.shape))
        sumColumns(rows, from, g, means, reciprocals, floats(dw), floats(ds))
        return (dx, rounded(dw, to: scale.dtype), rounded(ds, to: scale.dtype))
    }

    /// See ``Backend/gatedSum(_:_:gate:)``. Each row is read and written once.
    public func gatedSum(_ x: Tensor, _ y: Tensor, gate: Tensor) -> Tensor {
        let rows = ModulatedRows(x)
        let length = rows.length
        let factors = float32(gate)
        let w = floats(factors)
        let result = Tensor(uninitialized: x.shape, dtype: x.dtype)
        let (a, b, target) = (RowReader(x.contiguous()), RowReader(y.contiguous()), RowWriter(result))
        rows.forEach { row, batch, buffer in
            let left = a.row(row, length, buffer)
            let right = b.row(row, length, buffer + length)
            target.write(row, length, buffer + 2 * length) { to in
                diptych_binary(DIPTYCH_MULTIPLY, right, 1, w + batch * length, 1, to, length)
                diptych_binary(DIPTYCH_ADD, left, 1, to, 1, to, length)
            }
        }
        return result
    }

    /// See ``Backend/gateGradient(_:gradient:shape:)``.
    public func gateGradient(_ y: Tensor, gradient: Tensor, shape: Shape) -> Tensor {
        let rows = ModulatedRows(y)
        let (source, dy) = (float32(y), float32(gradient))
        let ones = Tensor(full: [max(rows.count, 1)], 1)
        let result = Tensor(uninitialized: shape)
        sumColumns(rows, floats(source), floats(dy), nil, floats(ones), floats(result), nil)
        return rounded(result, to: y.dtype)
    }

    /// For each batch and column the sums over its rows of `dy (x - mean) reciprocal` and of `dy`.
    private func sumColumns(
        _ rows: ModulatedRows, _ x: UnsafePointer<Float>, _ dy: UnsafePointer<Float>, _ means: UnsafePointer<Float>?,
        _ reciprocals: UnsafePointer<Float>, _ dw: UnsafeMutablePointer<Float>, _ ds: UnsafeMutablePointer<Float>?
    ) {
        let (length, width) = (rows.length, 256)
        let blocks = (length + width - 1) / width
        // Each column's sum runs over the rows in order, whichever thread has the column.
        parallelFor(rows.batches * blocks, grain: max(1, (1 << 15) / max(rows.perBatch * width, 1))) { part in
            for block in part {
                let (batch, start) = (block / blocks, block % blocks * width)
                let first = batch * rows.perBatch
                let (from, to) = (first * length + start, batch * length + start)
                diptych_normalize_parameter_gradient(
                    x + from, dy + from, means.map { $0 + first }, reciprocals + first, rows.perBatch, length,
                    min(width, length - start), dw + to, ds.map { $0 + to })
            }
        }
    }
}

/// The rows of `[B, S, D]` and the batch that each belongs to.
private struct ModulatedRows {
    let batches: Int, perBatch: Int, length: Int
    var count: Int { batches * perBatch }

    init(_ x: Tensor) { (batches, perBatch, length) = (x.shape[0], x.shape[1], x.shape[2]) }

    /// Calls `body` with the number of each row, its batch, and room for three rows, in parallel.
    func forEach(_ body: (Int, Int, UnsafeMutablePointer<Float>) -> Void) {
        if length == 0 { return }
        parallelFor(count, grain: max(1, (1 << 15) / length)) { part in
            withUnsafeTemporaryAllocation(of: Float.self, capacity: 3 * length) { buffer in
                for row in part { body(row, row / perBatch, buffer.baseAddress!) }
            }
        }
    }
}

/// Rows of a dense tensor as `float32`: as they lie, or widened into a buffer.
private struct RowReader {
    private let tensor: Tensor
    private let half: HalfFormat?

    init(_ tensor: Tensor) {
        self.tensor = tensor
        half = HalfFormat(tensor.dtype)
    }

    @inline(__always)
    func row(_ row: Int, _ length: Int, _ buffer: UnsafeMutablePointer<Float>) -> UnsafePointer<Float> {
        guard let half else { return UnsafePointer(tensor.stridedPointer(to: Float.self) + row * length) }
        half.widen(tensor.halves + row * length, buffer, length)
        return UnsafePointer(buffer)
    }
}

/// Rows of a dense tensor to fill with `float32`: in place, or narrowed from a buffer.
private struct RowWriter {
    private let tensor: Tensor
    private let half: HalfFormat?

    init(_ tensor: Tensor) {
        self.tensor = tensor
        half = HalfFormat(tensor.dtype)
    }

    @inline(__always)
    func write(
        _ row: Int, _ length: Int, _ buffer: UnsafeMutablePointer<Float>, _ fill: (UnsafeMutablePointer<Float>) -> Void
    ) {
        guard let half else { return fill(tensor.stridedPointer(to: Float.self) + row * length) }
        fill(buffer)
        half.narrow(buffer, tensor.halves + row * length, length)
    }
}
