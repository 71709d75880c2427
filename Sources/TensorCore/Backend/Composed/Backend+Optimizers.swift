extension Backend {
    /// The default. Loshchilov and Hutter 2019, algorithm 2.
    public func adamWStep(
        _ parameter: Tensor, gradient: Tensor, first: Tensor, second: Tensor, options o: AdamWStepOptions
    ) {
        let g = composed(gradient)
        accumulate(g.value, scale: 1 - o.beta1, into: first, targetScale: o.beta1)
        accumulate(g.applying(.square).value, scale: 1 - o.beta2, into: second, targetScale: o.beta2)
        let root = composed(second).applying(.squareRoot) * (1 / o.biasCorrection2.squareRoot())
        accumulate(
            (composed(first) / (root + o.epsilon)).value, scale: -o.learningRate / o.biasCorrection1, into: parameter,
            targetScale: 1 - o.learningRate * o.weightDecay)
    }

    /// The default. Mishchenko and Defazio 2023, algorithm 2.
    public func prodigyMoments(
        _ moments: ProdigyMoments, gradient: Tensor, parameter: Tensor, start: Tensor?, options o: ProdigyMomentOptions
    ) -> (correlation: Double, magnitude: Double) {
        let (g, p) = (composed(gradient), composed(parameter))
        let correlation = (g * (start.map { composed($0) - p } ?? -p)).total
        accumulate(g.value, scale: o.first, into: moments.first, targetScale: o.beta1)
        accumulate(g.applying(.square).value, scale: o.second, into: moments.second, targetScale: o.beta2)
        accumulate(g.value, scale: o.sum, into: moments.sum, targetScale: o.beta3)
        return (correlation, composed(moments.sum).applying(.absolute).total)
    }

    /// The default, of the same algorithm.
    public func prodigyStep(_ parameter: Tensor, moments: ProdigyMoments, decay: Float, step: Float, epsilon: Float) {
        let root = composed(moments.second).applying(.squareRoot) + epsilon
        accumulate((composed(moments.first) / root).value, scale: -step, into: parameter, targetScale: decay)
    }

    /// The default: squares in `float32`, their sum in double precision.
    public func sumOfSquares(_ x: Tensor) -> Double { composed(x).applying(.square).total }
}
