import CKernels

extension CPUBackend {
    /// See ``Backend/modulatedNorm(_:scale:shift:epsilon:)``. Each row is read and written once.
    public func modulatedNorm(_ x: Tensor, scale: Tensor, shift: Tensor, epsilon: Float) -> Tensor {
        let rows = ModulatedRows(x)
        let (weight, bias) = (affine(float32(scale), scale: 1, shift: 1), float32(shift))
        let (w, s) = (floats(weight), floats(bias))
        let source = dense(x)
        let result = uninitialized(x.shape, like: source)
        let (reader, writer) = (RowReader(source), RowWriter(result))
        forEachRow(of: x) { row, buffers in
            let line = reader.row(row, buffers[0])
            let (mean, reciprocal) = moments(line, rows.length, epsilon)
            let first = row / rows.perBatch * rows.length
            writer.write(row, buffers[1]) {
                diptych_normalize(line, mean, reciprocal, w + first, s + first, $0, rows.length)
            }
        }
        return rounded(result.tensor, to: x.dtype)
    }

    /// See ``Backend/modulatedNormGradient(_:scale:epsilon:gradient:needsInput:needsModulation:)``. Both tensors are
    /// read twice, the second time for the sums over columns.
    public func modulatedNormGradient(
        _ x: Tensor, scale: Tensor, epsilon: Float, gradient: Tensor, needsInput: Bool, needsModulation: Bool
    ) -> (input: Tensor?, scale: Tensor?, shift: Tensor?) {
        let rows = ModulatedRows(x)
        let length = rows.length
        let (source, dy) = kernelTensors(x.contiguous(), gradient.contiguous())
        let weight = affine(float32(scale), scale: 1, shift: 1)
        let w = floats(weight)
        let found = Tensor(uninitialized: [2, max(rows.count, 1)])
        let (means, reciprocals) = (floats(found), floats(found) + max(rows.count, 1))
        let dx = needsInput ? uninitialized(x.shape, like: source) : nil
        let (reader, outputGradients, writer) = (RowReader(source), RowReader(dy), dx.map { RowWriter($0) })
        forEachRow(of: x) { row, buffers in
            let a = reader.row(row, buffers[0])
            let (mean, reciprocal) = moments(a, length, epsilon)
            (means[row], reciprocals[row]) = (mean, reciprocal)
            guard let writer else { return }
            let b = outputGradients.row(row, buffers[1])
            let factors = w + row / rows.perBatch * length
            var (sum, dot) = (0.0, 0.0)
            diptych_normalize_gradient_sums(a, mean, reciprocal, factors, b, length, &sum, &dot)
            writer.write(row, buffers[2]) {
                diptych_normalize_gradient(
                    a, mean, reciprocal, factors, 1, b, Float(sum / Double(length)), Float(dot / Double(length)), $0,
                    length)
            }
        }
        let input = dx.map { rounded($0.tensor, to: x.dtype) }
        guard needsModulation else { return (input, nil, nil) }
        let (dw, ds) = (Tensor(uninitialized: scale.shape), Tensor(uninitialized: scale.shape))
        sumColumns(rows, source, dy, means, reciprocals, floats(dw), floats(ds))
        return (input, rounded(dw, to: scale.dtype), rounded(ds, to: scale.dtype))
    }

    /// See ``Backend/gatedSum(_:_:gate:)``. Each row is read and written once.
    public func gatedSum(_ x: Tensor, _ y: Tensor, gate: Tensor) -> Tensor {
        let rows = ModulatedRows(x)
        let length = rows.length
        let factors = float32(gate)
        let w = floats(factors)
        let (a, b) = kernelTensors(x.contiguous(), y.contiguous())
        let result = uninitialized(x.shape, like: a)
        parallelFor(rows.count, grain: max(1, (1 << 16) / max(length, 1))) { part in
            var row = part.lowerBound
            while row < part.upperBound {
                // As many rows as this part has of one batch.
                let batch = row / rows.perBatch
                let end = min(part.upperBound, (batch + 1) * rows.perBatch)
                let first = row * length
                diptych_gated_sum(a.type, a[first], b[first], w + batch * length, result[first], end - row, length)
                row = end
            }
        }
        return rounded(result.tensor, to: x.dtype)
    }

    /// See ``Backend/gateGradient(_:gradient:shape:)``.
    public func gateGradient(_ y: Tensor, gradient: Tensor, shape: Shape) -> Tensor {
        let (source, dy) = kernelTensors(y.contiguous(), gradient.contiguous())
        let result = Tensor(uninitialized: shape)
        sumColumns(ModulatedRows(y), source, dy, nil, nil, floats(result), nil)
        return rounded(result, to: y.dtype)
    }

    /// For each batch and column the sums over its rows of `dy (x - mean) reciprocal` and of `dy`.
    private func sumColumns(
        _ rows: ModulatedRows, _ x: KernelTensor, _ dy: KernelTensor, _ means: UnsafePointer<Float>?,
        _ reciprocals: UnsafePointer<Float>?, _ dw: UnsafeMutablePointer<Float>, _ ds: UnsafeMutablePointer<Float>?
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
                    x.type, x[from], dy[from], means.map { $0 + first }, reciprocals.map { $0 + first }, rows.perBatch,
                    length, min(width, length - start), dw + to, ds.map { $0 + to })
            }
        }
    }
}

/// The rows of `[B, S, D]` and the batch that each belongs to.
private struct ModulatedRows {
    let batches: Int, perBatch: Int, length: Int
    var count: Int { batches * perBatch }

    init(_ x: Tensor) { (batches, perBatch, length) = (x.shape[0], x.shape[1], x.shape[2]) }
}
