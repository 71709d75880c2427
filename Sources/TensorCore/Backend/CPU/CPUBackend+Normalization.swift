import Glibc

extension CPUBackend {
    /// See ``Backend/softmax(_:)``.
    public func softmax(_ x: Tensor) -> Tensor {
        let source = float32(x)
        let result = Tensor(uninitialized: x.shape)
        let length = x.shape[-1]
        let (from, to) = (floats(source), floats(result))
        forEachRow(of: x) { row in
            softmaxRow(from + row * length, to + row * length, length)
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
            var dot = 0.0
            for i in base..<base + length { dot += Double(p[i]) * Double(g[i]) }
            let shift = Float(dot)
            for i in base..<base + length { to[i] = p[i] * (g[i] - shift) }
        }
        return rounded(result, to: output.dtype)
    }

    /// See ``Backend/layerNorm(_:weight:bias:epsilon:)``.
    public func layerNorm(_ x: Tensor, weight: Tensor?, bias: Tensor?, epsilon: Float) -> Tensor {
        let source = float32(x)
        let result = Tensor(uninitialized: x.shape)
        let length = x.shape[-1]
        let (from, to) = (floats(source), floats(result))
        let (scale, shift) = (weight.map(float32), bias.map(float32))
        forEachRow(of: x) { row in
            let (a, b) = (from + row * length, to + row * length)
            let (mean, reciprocal) = moments(a, length, epsilon)
            for i in 0..<length { b[i] = (a[i] - mean) * reciprocal }
            scaleAndShift(b, length, scale, shift)
        }
        return rounded(result, to: x.dtype)
    }

    /// See ``Backend/layerNormGradient(_:weight:epsilon:gradient:needsInput:needsParameters:)``.
    public func layerNormGradient(
        _ x: Tensor, weight: Tensor?, epsilon: Float, gradient: Tensor, needsInput: Bool, needsParameters: Bool
    ) -> NormGradients {
        let (source, dy) = (float32(x), float32(gradient))
        let length = x.shape[-1]
        let rows = length == 0 ? 0 : x.count / length
        let (from, g) = (floats(source), floats(dy))
        let scale = weight.map(float32)
        var result = NormGradients()
        if needsInput {
            let dx = Tensor(uninitialized: x.shape)
            let to = floats(dx)
            let w = scale.map(floats)
            forEachRow(of: x) { row in
                let (a, b, c) = (from + row * length, g + row * length, to + row * length)
                let (mean, reciprocal) = moments(a, length, epsilon)
                var sum = 0.0
                var dot = 0.0
                for i in 0..<length {
                    let d = w.map { $0[i] * b[i] } ?? b[i]
                    sum += Double(d)
                    dot += Double(d) * Double((a[i] - mean) * reciprocal)
                }
                let (meanD, meanDot) = (Float(sum / Double(length)), Float(dot / Double(length)))
                for i in 0..<length {
                    let d = w.map { $0[i] * b[i] } ?? b[i]
                    c[i] = reciprocal * (d - meanD - (a[i] - mean) * reciprocal * meanDot)
                }
            }
            result.input = rounded(dx, to: x.dtype)
        }
        if needsParameters {
            var (dw, db) = ([Double](repeating: 0, count: length), [Double](repeating: 0, count: length))
            for row in 0..<rows {
                let (a, b) = (from + row * length, g + row * length)
                let (mean, reciprocal) = moments(a, length, epsilon)
                for i in 0..<length {
                    dw[i] += Double(b[i]) * Double((a[i] - mean) * reciprocal)
                    db[i] += Double(b[i])
                }
            }
            result.weight = Tensor(dw.map { Float($0) }, [length])
            result.bias = Tensor(db.map { Float($0) }, [length])
        }
        return result
    }

    /// See ``Backend/rmsNorm(_:weight:epsilon:)``.
    public func rmsNorm(_ x: Tensor, weight: Tensor?, epsilon: Float) -> Tensor {
        let source = float32(x)
        let result = Tensor(uninitialized: x.shape)
        let length = x.shape[-1]
        let (from, to) = (floats(source), floats(result))
        let scale = weight.map(float32)
        forEachRow(of: x) { row in
            let (a, b) = (from + row * length, to + row * length)
            let reciprocal = reciprocalRMS(a, length, epsilon)
            for i in 0..<length { b[i] = a[i] * reciprocal }
            scaleAndShift(b, length, scale, nil)
        }
        return rounded(result, to: x.dtype)
    }

    /// See ``Backend/rmsNormGradient(_:weight:epsilon:gradient:needsInput:needsParameters:)``.
    public func rmsNormGradient(
        _ x: Tensor, weight: Tensor?, epsilon: Float, gradient: Tensor, needsInput: Bool, needsParameters: Bool
    ) -> NormGradients {
        let (source, dy) = (float32(x), float32(gradient))
        let length = x.shape[-1]
        let rows = length == 0 ? 0 : x.count / length
        let (from, g) = (floats(source), floats(dy))
        let scale = weight.map(float32)
        var result = NormGradients()
        if needsInput {
            let dx = Tensor(uninitialized: x.shape)
            let to = floats(dx)
            let w = scale.map(floats)
            forEachRow(of: x) { row in
                let (a, b, c) = (from + row * length, g + row * length, to + row * length)
                let reciprocal = reciprocalRMS(a, length, epsilon)
                var dot = 0.0
                for i in 0..<length { dot += Double(w.map { $0[i] * b[i] } ?? b[i]) * Double(a[i]) }
                let factor = Float(dot / Double(length)) * reciprocal * reciprocal
                for i in 0..<length { c[i] = reciprocal * ((w.map { $0[i] * b[i] } ?? b[i]) - a[i] * factor) }
            }
            result.input = rounded(dx, to: x.dtype)
        }
        if needsParameters {
            var dw = [Double](repeating: 0, count: length)
            for row in 0..<rows {
                let (a, b) = (from + row * length, g + row * length)
                let reciprocal = reciprocalRMS(a, length, epsilon)
                for i in 0..<length { dw[i] += Double(b[i]) * Double(a[i] * reciprocal) }
            }
            result.weight = Tensor(dw.map { Float($0) }, [length])
        }
        return result
    }

    /// See ``Backend/groupNorm(_:groups:weight:bias:epsilon:)``.
    public func groupNorm(_ x: Tensor, groups: Int, weight: Tensor, bias: Tensor, epsilon: Float) -> Tensor {
        let source = float32(x)
        let result = Tensor(uninitialized: x.shape)
        let (channels, plane) = (x.shape[1], x.shape[2] * x.shape[3])
        let size = channels / groups
        let (from, to) = (floats(source), floats(result))
        let (scale, shift) = (float32(weight), float32(bias))
        let (w, s) = (floats(scale), floats(shift))
        parallelFor(x.shape[0] * groups, grain: 1) { part in
            for group in part {
                let (a, b) = (from + group * size * plane, to + group * size * plane)
                let (mean, reciprocal) = moments(a, size * plane, epsilon)
                for channel in 0..<size {
                    let place = group % groups * size + channel
                    let (factor, offset) = (reciprocal * w[place], s[place])
                    for i in channel * plane..<(channel + 1) * plane { b[i] = (a[i] - mean) * factor + offset }
                }
            }
        }
        return rounded(result, to: x.dtype)
    }

    /// See ``Backend/groupNormGradient(_:groups:weight:epsilon:gradient:needsInput:needsParameters:)``.
    public func groupNormGradient(
        _ x: Tensor, groups: Int, weight: Tensor, epsilon: Float, gradient: Tensor, needsInput: Bool,
        needsParameters: Bool
    ) -> NormGradients {
        let (source, dy) = (float32(x), float32(gradient))
        let (channels, plane) = (x.shape[1], x.shape[2] * x.shape[3])
        let size = channels / groups
        let length = size * plane
        let dx = Tensor(uninitialized: x.shape)
        let (from, g, to) = (floats(source), floats(dy), floats(dx))
        let scale = float32(weight)
        let w = floats(scale)
        var (dw, db) = ([Double](repeating: 0, count: channels), [Double](repeating: 0, count: channels))
        for group in 0..<x.shape[0] * groups where length > 0 {
            let (a, b, c) = (from + group * length, g + group * length, to + group * length)
            let (mean, reciprocal) = moments(a, length, epsilon)
            var (sum, dot) = (0.0, 0.0)
            for channel in 0..<size {
                let place = group % groups * size + channel
                var (channelSum, channelDot) = (0.0, 0.0)
                for i in channel * plane..<(channel + 1) * plane {
                    channelSum += Double(b[i])
                    channelDot += Double(b[i]) * Double((a[i] - mean) * reciprocal)
                }
                db[place] += channelSum
                dw[place] += channelDot
                sum += channelSum * Double(w[place])
                dot += channelDot * Double(w[place])
            }
            if !needsInput { continue }
            let (meanD, meanDot) = (Float(sum / Double(length)), Float(dot / Double(length)))
            for channel in 0..<size {
                let factor = w[group % groups * size + channel]
                for i in channel * plane..<(channel + 1) * plane {
                    c[i] = reciprocal * (b[i] * factor - meanD - (a[i] - mean) * reciprocal * meanDot)
                }
            }
        }
        return NormGradients(
            input: needsInput ? rounded(dx, to: x.dtype) : nil,
            weight: needsParameters ? Tensor(dw.map { Float($0) }, [channels]) : nil,
            bias: needsParameters ? Tensor(db.map { Float($0) }, [channels]) : nil)
    }

    /// Calls `body` with the number of each row of the last axis, in parallel.
    func forEachRow(of x: Tensor, _ body: (Int) -> Void) {
        let length = x.rank == 0 ? 1 : x.shape[-1]
        let rows = length == 0 ? 0 : x.count / length
        parallelFor(rows, grain: max(1, (1 << 13) / max(length, 1))) { part in
            for row in part { body(row) }
        }
    }

    private func scaleAndShift(_ row: UnsafeMutablePointer<Float>, _ length: Int, _ scale: Tensor?, _ shift: Tensor?) {
        if let scale {
            let w = floats(scale)
            for i in 0..<length { row[i] *= w[i] }
        }
        if let shift {
            let s = floats(shift)
            for i in 0..<length { row[i] += s[i] }
        }
    }
}

/// Mean and `1 / sqrt(variance + epsilon)` of a run of numbers, in double precision.
private func moments(_ x: UnsafePointer<Float>, _ length: Int, _ epsilon: Float) -> (Float, Float) {
    let values = UnsafeBufferPointer(start: x, count: length)
    let mean = sum(values) / Double(length)
    var lanes = SIMD4<Double>.zero
    let whole = length & ~3
    var i = 0
    while i < whole {
        let d = SIMD4(Double(x[i]), Double(x[i + 1]), Double(x[i + 2]), Double(x[i + 3])) - mean
        lanes += d * d
        i += 4
    }
    var squares = lanes.sum()
    while i < length {
        let d = Double(x[i]) - mean
        squares += d * d
        i += 1
    }
    return (Float(mean), Float(1 / (squares / Double(length) + Double(epsilon)).squareRoot()))
}

private func reciprocalRMS(_ x: UnsafePointer<Float>, _ length: Int, _ epsilon: Float) -> Float {
    var squares = 0.0
    for i in 0..<length { squares += Double(x[i]) * Double(x[i]) }
    return Float(1 / (squares / Double(length) + Double(epsilon)).squareRoot())
}

/// One row of a softmax; gives the logarithm of its denominator. A row of minus infinities gives zeros.
@discardableResult
func softmaxRow(_ from: UnsafePointer<Float>, _ to: UnsafeMutablePointer<Float>, _ length: Int) -> Float {
    var largest = -Float.infinity
    for i in 0..<length where from[i] > largest || from[i].isNaN { largest = from[i] }
    if largest == -.infinity {
        to.update(repeating: 0, count: length)
        return -.infinity
    }
    var sum = 0.0
    for i in 0..<length {
        to[i] = exp(from[i] - largest)
        sum += Double(to[i])
    }
    let factor = Float(1 / sum)
    for i in 0..<length { to[i] *= factor }
    return largest + Float(log(sum))
}
