import CKernels

extension CPUBackend {
    /// See ``Backend/groupNorm(_:groups:weight:bias:epsilon:)``.
    public func groupNorm(_ x: Tensor, groups: Int, weight: Tensor, bias: Tensor, epsilon: Float) -> Tensor {
        let source = float32(x)
        let result = Tensor(uninitialized: x.shape)
        let (channels, plane) = (x.shape[1], x.shape[2] * x.shape[3])
        let size = channels / groups
        let (from, to) = (floats(source), floats(result))
        let (scale, shift) = (float32(weight), float32(bias))
        let (w, s) = (floats(scale), floats(shift))
        parallelFor(x.shape[0] * groups, grain: max(1, (1 << 15) / max(size * plane, 1))) { part in
            for group in part {
                let (a, b) = (from + group * size * plane, to + group * size * plane)
                let (mean, reciprocal) = moments(a, size * plane, epsilon)
                for channel in 0..<size {
                    let place = group % groups * size + channel
                    let start = channel * plane
                    diptych_normalize_channel(a + start, mean, reciprocal * w[place], s[place], b + start, plane)
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
                        let (shift, slope) = (Float(sum / Double(length)), Float(dot / Double(length)))
                        for channel in 0..<size {
                            let place = channel * plane
                            diptych_normalize_gradient(
                                a + place, mean, reciprocal, nil, factors[channel], b + place, shift, slope, c + place,
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
