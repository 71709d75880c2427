import CKernels

extension CPUBackend {
    /// See ``Backend/rowMoments(_:)``.
    public func rowMoments(_ x: Tensor) -> Tensor {
        let source = x.isContiguous ? x : copy(x, as: x.dtype)
        let width = x.shape[3]
        let result = Tensor(uninitialized: [x.shape[0], x.shape[1], x.shape[2], 2])
        let to = floats(result)
        forEachChannelRow(of: source) { row, values, _ in
            // Squares of floats and their sums are nearly exact in double precision, so the difference is harmless.
            let sum = diptych_sum(values, width)
            let squares = diptych_dot(values, values, width) - sum * sum / Double(max(width, 1))
            to[2 * row] = Float(sum / Double(width))
            to[2 * row + 1] = squares < 0 ? 0 : Float(squares)
        }
        return result
    }

    /// See ``Backend/groupMoments(_:groups:width:epsilon:)``. Chan, Golub and LeVeque 1983, "Algorithms for computing the
    /// sample variance".
    public func groupMoments(_ rows: Tensor, groups: Int, width: Int, epsilon: Float) -> Tensor {
        let source = float32(rows)
        let members = rows.shape[1] / groups * rows.shape[2]
        let result = Tensor(uninitialized: [rows.shape[0], groups, 2])
        let (from, to) = (floats(source), floats(result))
        for group in 0..<rows.shape[0] * groups {
            let moments = from + group * members * 2
            var (sum, squares) = (0.0, 0.0)
            for row in 0..<members { sum += Double(moments[2 * row]) }
            let mean = sum / Double(members)
            for row in 0..<members {
                let distance = Double(moments[2 * row]) - mean
                squares += Double(moments[2 * row + 1]) + distance * distance * Double(width)
            }
            to[2 * group] = Float(mean)
            to[2 * group + 1] = Float(1 / (squares / Double(members * width) + Double(epsilon)).squareRoot())
        }
        return result
    }

    /// See ``Backend/groupNorm(_:groups:weight:bias:epsilon:)``.
    public func groupNorm(_ x: Tensor, groups: Int, weight: Tensor, bias: Tensor, epsilon: Float) -> Tensor {
        let norm = ConvolutionStages.Norm(groups: groups, weight: weight, bias: bias, epsilon: epsilon)
        return groupNorm(x, norm)
    }

    /// The norm alone, without SiLU, by the moments that are given or those of `x`.
    func groupNorm(_ x: Tensor, _ norm: ConvolutionStages.Norm) -> Tensor {
        let source = x.isContiguous ? x : copy(x, as: x.dtype)
        let result = Tensor(uninitialized: x.shape, dtype: x.dtype)
        if result.count == 0 { return result }
        let channels = ChannelNorm(self, norm, image: source)
        let (mean, factor, shift) = channels.pointers
        let (height, width) = (x.shape[2], x.shape[3])
        if x.dtype == .float32 {
            let to = floats(result)
            forEachChannelRow(of: source) { row, values, _ in
                let channel = row / height
                diptych_normalize_channel(
                    values, mean[channel], factor[channel], shift[channel], to + row * width, width)
            }
        } else {
            let (to, half) = (result.halves, HalfFormat(x.dtype)!)
            forEachChannelRow(of: source) { row, values, space in
                let channel = row / height
                diptych_normalize_channel(values, mean[channel], factor[channel], shift[channel], space, width)
                half.narrow(space, to + row * width, width)
            }
        }
        return result
    }

    /// Calls `body` with the number of each row of a contiguous `[N, C, H, W]`, its elements as `float32` and room for as
    /// many, which may be the elements themselves.
    private func forEachChannelRow(
        of x: Tensor, _ body: (Int, UnsafePointer<Float>, UnsafeMutablePointer<Float>) -> Void
    ) {
        let width = x.shape[3]
        let rows = x.shape[0] * x.shape[1] * x.shape[2]
        let half = HalfFormat(x.dtype)
        parallelFor(rows, grain: max(1, (1 << 15) / max(width, 1))) { part in
            withUnsafeTemporaryAllocation(of: Float.self, capacity: max(width, 1)) { room in
                let space = room.baseAddress!
                for row in part {
                    if let half {
                        half.widen(x.halves + row * width, space, width)
                        body(row, space, space)
                    } else {
                        body(row, floats(x) + row * width, space)
                    }
                }
            }
        }
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
        let sums = Tensor(zeros: [2, channels])
        let (dw, db) = (floats(sums), floats(sums) + channels)
        // A thread has a group in all images, so that nobody else adds to the group's channels.
        parallelFor(length > 0 ? groups : 0, grain: max(1, (1 << 15) / max(x.shape[0] * length, 1))) { part in
            withUnsafeTemporaryAllocation(of: Double.self, capacity: 2 * size) { totals in
                for group in part {
                    totals.initialize(repeating: 0)
                    let factors = w + group * size
                    for image in 0..<x.shape[0] {
                        let start = (image * groups + group) * length
                        let (a, b, c) = (from + start, g + start, to + start)
                        let (mean, reciprocal) = moments(a, length, epsilon)
                        var (sum, dot) = (0.0, 0.0)
                        for channel in 0..<size {
                            var (channelSum, channelDot) = (0.0, 0.0)
                            diptych_normalize_gradient_sums(
                                a + channel * plane, mean, reciprocal, nil, b + channel * plane, plane, &channelSum,
                                &channelDot)
                            totals[channel] += channelDot
                            totals[size + channel] += channelSum
                            sum += channelSum * Double(factors[channel])
                            dot += channelDot * Double(factors[channel])
                        }
                        if !needsInput { continue }
                        let (shift, projection) = (Float(sum / Double(length)), Float(dot / Double(length)))
                        for channel in 0..<size {
                            let place = channel * plane
                            diptych_normalize_gradient(
                                a + place, mean, reciprocal, nil, factors[channel], b + place, shift, projection,
                                c + place,
                                plane)
                        }
                    }
                    for channel in 0..<size {
                        dw[group * size + channel] = Float(totals[channel])
                        db[group * size + channel] = Float(totals[size + channel])
                    }
                }
            }
        }
        return NormGradients(
            input: needsInput ? rounded(dx, to: x.dtype) : nil,
            weight: needsParameters ? sums.sliced(axis: 0, 0..<1).reshaped(to: [channels]).copied() : nil,
            bias: needsParameters ? sums.sliced(axis: 0, 1..<2).reshaped(to: [channels]).copied() : nil)
    }
}

/// A group norm as three numbers a channel of each image: `(x - mean) factor + shift`.
struct ChannelNorm {
    private let values: Tensor
    private let count: Int

    /// The moments that `norm` has, or those of `image`.
    init(_ backend: CPUBackend, _ norm: ConvolutionStages.Norm, image: Tensor) {
        let (images, channels) = (image.shape[0], image.shape[1])
        let moments =
            norm.moments.map(backend.float32)
            ?? backend.groupMoments(
                backend.rowMoments(image), groups: norm.groups, width: image.shape[3], epsilon: norm.epsilon)
        let (scale, shift) = (backend.float32(norm.weight), backend.float32(norm.bias))
        count = images * channels
        values = Tensor(uninitialized: [3, max(count, 1)])
        let (m, w, s, to) = (
            backend.floats(moments), backend.floats(scale), backend.floats(shift), backend.floats(values)
        )
        let size = channels / norm.groups
        for place in 0..<count {
            let (group, channel) = (place / size, place % channels)
            to[place] = m[2 * group]
            to[count + place] = m[2 * group + 1] * w[channel]
            to[2 * count + place] = s[channel]
        }
    }

    /// Means, factors and shifts by image and channel.
    var pointers: (mean: UnsafePointer<Float>, factor: UnsafePointer<Float>, shift: UnsafePointer<Float>) {
        let base = values.pointer(to: Float.self)
        return (UnsafePointer(base), UnsafePointer(base + count), UnsafePointer(base + 2 * count))
    }
}
