import CKernels

extension CPUBackend {
    /// See ``Backend/softmax(_:)``.
    public func softmax(_ x: Tensor) -> Tensor {
        let source = dense(x)
        let result = uninitialized(x.shape, like: source)
        let length = x.shape[-1]
        let (reader, writer) = (RowReader(source), RowWriter(result))
        forEachRow(of: x) { row, buffers in
            let line = reader.row(row, buffers[0])
            writer.write(row, buffers[1]) { _ = diptych_softmax(line, $0, length) }
        }
        return rounded(result.tensor, to: x.dtype)
    }

    /// See ``Backend/softmaxGradient(output:gradient:)``.
    public func softmaxGradient(output: Tensor, gradient: Tensor) -> Tensor {
        let (y, dy) = kernelTensors(output.contiguous(), gradient.contiguous())
        let result = uninitialized(output.shape, like: y)
        let length = output.shape[-1]
        let (outputs, outputGradients, writer) = (RowReader(y), RowReader(dy), RowWriter(result))
        forEachRow(of: output) { row, buffers in
            let (p, g) = (outputs.row(row, buffers[0]), outputGradients.row(row, buffers[1]))
            let dot = Float(diptych_dot(p, g, length))
            writer.write(row, buffers[2]) { diptych_softmax_gradient(p, g, dot, $0, length) }
        }
        return rounded(result.tensor, to: output.dtype)
    }

    /// See ``Backend/layerNorm(_:weight:bias:epsilon:)``.
    public func layerNorm(_ x: Tensor, weight: Tensor?, bias: Tensor?, epsilon: Float) -> Tensor {
        normalized(x, weight: weight, bias: bias) { moments($0, $1, epsilon) }
    }

    /// See ``Backend/layerNormGradient(_:weight:epsilon:gradient:needsInput:needsParameters:)``.
    public func layerNormGradient(
        _ x: Tensor, weight: Tensor?, epsilon: Float, gradient: Tensor, needsInput: Bool, needsParameters: Bool
    ) -> NormGradients {
        normalizationGradient(
            x, weight: weight, gradient: gradient, isCentred: true, needsInput: needsInput,
            needsParameters: needsParameters
        ) { moments($0, $1, epsilon) }
    }

    /// See ``Backend/rmsNorm(_:weight:epsilon:)``.
    public func rmsNorm(_ x: Tensor, weight: Tensor?, epsilon: Float) -> Tensor {
        normalized(x, weight: weight, bias: nil) { (0, diptych_reciprocal_rms($0, $1, epsilon)) }
    }

    /// See ``Backend/rmsNormGradient(_:weight:epsilon:gradient:needsInput:needsParameters:)``.
    public func rmsNormGradient(
        _ x: Tensor, weight: Tensor?, epsilon: Float, gradient: Tensor, needsInput: Bool, needsParameters: Bool
    ) -> NormGradients {
        normalizationGradient(
            x, weight: weight, gradient: gradient, isCentred: false, needsInput: needsInput,
            needsParameters: needsParameters
        ) { (0, diptych_reciprocal_rms($0, $1, epsilon)) }
    }

    /// `(x - mean) * reciprocal * weight + bias` for the mean and the reciprocal that `statistics` gives of each row.
    private func normalized(
        _ x: Tensor, weight: Tensor?, bias: Tensor?, _ statistics: (UnsafePointer<Float>, Int) -> (Float, Float)
    ) -> Tensor {
        let source = dense(x)
        let result = uninitialized(x.shape, like: source)
        let length = x.shape[-1]
        let (scale, shift) = (weight.map(float32), bias.map(float32))
        let (w, s) = (scale.map(floats), shift.map(floats))
        let (reader, writer) = (RowReader(source), RowWriter(result))
        forEachRow(of: x) { row, buffers in
            let line = reader.row(row, buffers[0])
            let (mean, reciprocal) = statistics(line, length)
            writer.write(row, buffers[1]) { diptych_normalize(line, mean, reciprocal, w, s, $0, length) }
        }
        return rounded(result.tensor, to: x.dtype)
    }

    /// The gradients of ``normalized(_:weight:bias:_:)``; `isCentred` tells whether the mean depends on the row.
    private func normalizationGradient(
        _ x: Tensor, weight: Tensor?, gradient: Tensor, isCentred: Bool, needsInput: Bool, needsParameters: Bool,
        _ statistics: (UnsafePointer<Float>, Int) -> (Float, Float)
    ) -> NormGradients {
        let (source, dy) = kernelTensors(x.contiguous(), gradient.contiguous())
        let length = x.shape[-1]
        let rows = length == 0 ? 0 : x.count / length
        let scale = weight.map(float32)
        let w = scale.map(floats)
        let found = Tensor(uninitialized: [2, rows])
        let (means, reciprocals) = (floats(found), floats(found) + rows)
        let dx = needsInput ? uninitialized(x.shape, like: source) : nil
        let (reader, outputGradients, writer) = (RowReader(source), RowReader(dy), dx.map { RowWriter($0) })
        forEachRow(of: x) { row, buffers in
            let a = reader.row(row, buffers[0])
            let (mean, reciprocal) = statistics(a, length)
            (means[row], reciprocals[row]) = (mean, reciprocal)
            guard let writer else { return }
            let b = outputGradients.row(row, buffers[1])
            var (sum, dot) = (0.0, 0.0)
            diptych_normalize_gradient_sums(a, mean, reciprocal, w, b, length, &sum, &dot)
            let shift = isCentred ? Float(sum / Double(length)) : 0
            writer.write(row, buffers[2]) {
                diptych_normalize_gradient(
                    a, mean, reciprocal, w, 1, b, shift, Float(dot / Double(length)), $0, length)
            }
        }
        var result = NormGradients()
        result.input = dx.map { rounded($0.tensor, to: x.dtype) }
        if needsParameters {
            let dw = Tensor(uninitialized: [length])
            let db = isCentred ? Tensor(uninitialized: [length]) : nil
            let (toW, toB) = (floats(dw), db.map(floats))
            // Each column's sum runs over the rows in order, whichever thread has the column.
            let blocks = (length + 255) / 256
            parallelFor(blocks, grain: max(1, (1 << 15) / max(rows * 256, 1))) { part in
                let start = part.lowerBound * 256
                let count = min(part.upperBound * 256, length) - start
                diptych_normalize_parameter_gradient(
                    source.type, source[start], dy[start], isCentred ? means : nil, reciprocals, rows, length, count,
                    toW + start,
                    toB.map { $0 + start })
            }
            (result.weight, result.bias) = (dw, db)
        }
        return result
    }

    /// Calls `body` with the number of each row of the last axis, in parallel.
    func forEachRow(of x: Tensor, _ body: (Int) -> Void) {
        let length = x.rank == 0 ? 1 : x.shape[-1]
        let rows = length == 0 ? 0 : x.count / length
        parallelFor(rows, grain: max(1, (1 << 15) / max(length, 1))) { part in
            for row in part { body(row) }
        }
    }
}

/// The mean of a row and `1 / sqrt(variance + epsilon)`.
func moments(_ x: UnsafePointer<Float>, _ length: Int, _ epsilon: Float) -> (mean: Float, reciprocal: Float) {
    var (mean, reciprocal): (Float, Float) = (0, 0)
    diptych_moments(x, length, epsilon, &mean, &reciprocal)
    return (mean, reciprocal)
}
