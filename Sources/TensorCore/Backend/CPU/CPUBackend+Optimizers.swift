import CKernels

extension CPUBackend {
    /// See ``Backend/adamWStep(_:gradient:first:second:options:)``.
    public func adamWStep(
        _ parameter: Tensor, gradient: Tensor, first: Tensor, second: Tensor, options o: AdamWStepOptions
    ) {
        for written in [parameter, first, second] {
            precondition(written.storage.isMutable, "writing into read-only storage")
        }
        let gradient = float32(gradient)
        let (p, g, m, v) = (floats(parameter), floats(gradient), floats(first), floats(second))
        var options = diptych_adamw_options(
            beta1: o.beta1, beta2: o.beta2, epsilon: o.epsilon, decay: 1 - o.learningRate * o.weightDecay,
            step: o.learningRate / o.biasCorrection1, root: o.biasCorrection2.squareRoot())
        withUnsafePointer(to: &options) { scalars in
            parallelFor(parameter.count, grain: 1 << 15) { part in
                let i = part.lowerBound
                diptych_adamw(scalars, p + i, g + i, m + i, v + i, part.count)
            }
        }
    }

    /// See ``Backend/prodigyMoments(_:gradient:parameter:start:options:)``.
    public func prodigyMoments(
        _ moments: ProdigyMoments, gradient: Tensor, parameter: Tensor, start: Tensor?, options o: ProdigyMomentOptions
    ) -> (correlation: Double, magnitude: Double) {
        for written in [moments.first, moments.second, moments.sum] {
            precondition(written.storage.isMutable, "writing into read-only storage")
        }
        let (gradient, parameter, start) = (float32(gradient), float32(parameter), start.map(float32))
        let (p, g) = (floats(parameter), floats(gradient))
        let begin = start.map(floats)
        let (m, v, s) = (floats(moments.first), floats(moments.second), floats(moments.sum))
        var options = diptych_prodigy_options(
            beta1: o.beta1, beta2: o.beta2, beta3: o.beta3, first: o.first, second: o.second, sum: o.sum)
        return withUnsafePointer(to: &options) { scalars in
            let sums = sumsOfPieces(parameter.count) { i, count in
                var (correlation, magnitude) = (0.0, 0.0)
                diptych_prodigy_moments(
                    scalars, p + i, begin.map { $0 + i }, g + i, m + i, v + i, s + i, count, &correlation, &magnitude)
                return SIMD2(correlation, magnitude)
            }
            return (sums.x, sums.y)
        }
    }

    /// See ``Backend/prodigyStep(_:moments:decay:step:epsilon:)``.
    public func prodigyStep(_ parameter: Tensor, moments: ProdigyMoments, decay: Float, step: Float, epsilon: Float) {
        precondition(parameter.storage.isMutable, "writing into read-only storage")
        let (p, m, v) = (floats(parameter), floats(moments.first), floats(moments.second))
        parallelFor(parameter.count, grain: 1 << 15) { part in
            let i = part.lowerBound
            diptych_prodigy_step(decay, step, epsilon, p + i, m + i, v + i, part.count)
        }
    }

    /// See ``Backend/sumOfSquares(_:)``.
    public func sumOfSquares(_ x: Tensor) -> Double {
        let source = float32(x)
        let from = floats(source)
        return sumsOfPieces(x.count) { i, count in SIMD2(diptych_dot(from + i, from + i, count), 0) }.x
    }

    /// The sum over pieces of one size, in their order whatever the number of threads.
    private func sumsOfPieces(
        _ count: Int, _ piece: (_ first: Int, _ count: Int) -> SIMD2<Double>
    ) -> SIMD2<Double> {
        let length = 1 << 15
        let pieces = (count + length - 1) / length
        return withUnsafeTemporaryAllocation(of: SIMD2<Double>.self, capacity: pieces) { sums in
            parallelFor(pieces, grain: 1) { part in
                for index in part {
                    sums[index] = piece(index * length, min(length, count - index * length))
                }
            }
            return sums.reduce(SIMD2(0, 0), +)
        }
    }
}
