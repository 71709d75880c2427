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
        let decay = 1 - o.learningRate * o.weightDecay
        let step = o.learningRate / o.biasCorrection1
        let root = o.biasCorrection2.squareRoot()
        parallelFor(parameter.count, grain: 1 << 14) { part in
            for i in part {
                m[i] = o.beta1 * m[i] + (1 - o.beta1) * g[i]
                v[i] = o.beta2 * v[i] + (1 - o.beta2) * g[i] * g[i]
                p[i] = p[i] * decay - step * m[i] / (v[i].squareRoot() / root + o.epsilon)
            }
        }
    }
}
