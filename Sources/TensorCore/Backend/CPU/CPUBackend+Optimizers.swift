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
}
