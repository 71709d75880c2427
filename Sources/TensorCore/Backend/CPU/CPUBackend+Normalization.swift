import CKernels

extension CPUBackend {
    /// See ``Backend/softmax(_:)``.
    public func softmax(_ x: Tensor) -> Tensor {
        let source = float32(x)
        let result = Tensor(uninitialized: x.shape)
        let length = x.shape[-1]
        let (from, to) = (floats(source), floats(result))
        forEachRow(of: x) { row in
            _ = diptych_softmax(from + row * length, to + row * length, length)
        }
        return rounded(result, to: x.dtype)
    }

    /// See ``Backend/softmaxGradient(output:gradient:)``.
    public func softmaxGradient(output: Tensor, gradient: Tensor) -> Tensor {
        let (y, dy) = (float32(output), float32(gradient))
        let result = Tensor(uninitialized: output.shape)
        let length = output.shape[-1]
        let (p, g, to) = (floats(y), floats(dy), floats(result))
        forEachRow(of: output) { row in
            let base = row * length
            let dot = diptych_dot(p + base, g + base, length)
            diptych_softmax_gradient(p + base, g + base, Float(dot), to + base, length)
        }
        return rounded(result, to: output.dtype)
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
        let source = float32(x)
        let result = Tensor(uninitialized: x.shape)
        let length = x.shape[-1]
        let (from, to) = (floats(source), floats(result))
        let (scale, shift) = (weight.map(float32), bias.map(float32))
        let (w, s) = (scale.map(floats), shift.map(floats))
        forEachRow(of: x) { row in
            let line = from + row * length
            let (mean, reciprocal) = statistics(line, length)
            diptych_normalize(line, mean, reciprocal, w, s, to + row * length, length)
        }
        return rounded(result, to: x.dtype)
    }

    /// The gradients of ``normalized(_:weight:bias:_:)``; `isCentred` tells whether the mean depends on the row.
    private func normalizationGradient(
        _ x: Tensor, weight: Tensor?, gradient: Tensor, isCentred: Bool, needsInput: Bool, needsParameters: Bool,
        _ statistics: (UnsafePointer<Float>, Int) -> (Float, Float)
    ) -> NormGradients {
        let (source, dy) = (float32(x), float32(gradient))
        let length = x.shape[-1]
        let rows = length == 0 ? 0 : x.count / length
        let (from, g) = (floats(source), floats(dy))
        let scale = weight.map(float32)
        let w = scale.map(floats)
        let found = Tensor(uninitialized: [2, rows])
        let (means, reciprocals) = (floats(found), floats(found) + rows)
        let dx = needsInput ? Tensor(uninitialized: x.shape) : nil
        let to = dx.map(floats)
        forEachRow(of: x) { row in
            let (a, b) = (from + row * length, g + row * length)
            let (mean, reciprocal) = statistics(a, length)
            (means[row], reciprocals[row]) = (mean, reciprocal)
            guard let to else { return }
            var (sum, dot) = (0.0, 0.0)
            diptych_normalize_gradient_sums(a, mean, reciprocal, w, b, length, &sum, &dot)
            let shift = isCentred ? Float(sum / Double(length)) : 0
            diptych_normalize_gradient(
                a, mean, reciprocal, w, 1, b, shift, Float(dot / Double(length)), to + row * length, length)
        }
        var result = NormGradients()
        result.input = dx.map { rounded($0, to: x.dtype) }
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
                    from + start, g + start, isCentred ? means : nil, reciprocals, rows, length, count, toW + start,
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
