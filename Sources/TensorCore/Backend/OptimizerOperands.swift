/// The scalars of one AdamW step.
public struct AdamWStepOptions: Sendable {
    /// The learning rate of this step.
    public var learningRate: Float
    /// The decay rates of the two moments.
    public var beta1: Float, beta2: Float
    /// Added to the root of the second moment.
    public var epsilon: Float
    /// Decoupled weight decay.
    public var weightDecay: Float
    /// `1 - beta1^step` and `1 - beta2^step`.
    public var biasCorrection1: Float, biasCorrection2: Float

    /// Collects the scalars.
    public init(
        learningRate: Float, beta1: Float, beta2: Float, epsilon: Float, weightDecay: Float, biasCorrection1: Float,
        biasCorrection2: Float
    ) {
        self.learningRate = learningRate
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon = epsilon
        self.weightDecay = weightDecay
        self.biasCorrection1 = biasCorrection1
        self.biasCorrection2 = biasCorrection2
    }
}

/// What Prodigy keeps of a parameter beside its start: `float32` tensors of its shape.
public struct ProdigyMoments: Sendable {
    /// The running mean of gradients, times d.
    public var first: Tensor
    /// The running mean of their squares, times d squared.
    public var second: Tensor
    /// The running sum of gradients.
    public var sum: Tensor

    /// Collects the moments.
    public init(first: Tensor, second: Tensor, sum: Tensor) {
        (self.first, self.second, self.sum) = (first, second, sum)
    }
}

/// The scalars of Prodigy's moments in one step.
public struct ProdigyMomentOptions: Sendable {
    /// The decay rates of the three moments.
    public var beta1: Float, beta2: Float, beta3: Float
    /// What the gradient, its square and again the gradient are multiplied by before they enter them.
    public var first: Float, second: Float, sum: Float

    /// Collects the scalars.
    public init(beta1: Float, beta2: Float, beta3: Float, first: Float, second: Float, sum: Float) {
        (self.beta1, self.beta2, self.beta3) = (beta1, beta2, beta3)
        (self.first, self.second, self.sum) = (first, second, sum)
    }
}
