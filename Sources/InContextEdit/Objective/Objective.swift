public import Autograd
public import TensorCore

/// What training minimises: at which times the model is asked for the velocity, and how its errors count.
///
/// ```swift
/// let objective = Objective(times: LogitNormalTimes(mean: 0, deviation: 1), weighting: .cosmap)
/// let times = objective.times.sample(&random, tokenCount: 1024)
/// let loss = objective.loss(velocity, clean: clean, noise: noise, time: time)
/// ```
public struct Objective: Sendable {
    /// How times are drawn.
    public var times: any TimeDistribution
    /// How the error at a time counts.
    public var weighting: TimeWeighting

    /// Collects both; the default is ICEdit's, times by the logistic normal and errors that count alike.
    public init(times: any TimeDistribution = LogitNormalTimes(), weighting: TimeWeighting = .none) {
        self.times = times
        self.weighting = weighting
    }

    /// The mean squared error between the predicted velocity and the true one, `[B, S, C]`, over the whole canvas: each sample
    /// times its weight w(t), for times `[B]`.
    ///
    /// With a `region`, weights `[B, S, 1]` of the tokens, it is the mean over the region: the sum of weighted errors over the sum
    /// of the weights, so that a small region counts as much as a large one.
    public func loss(
        _ prediction: Variable, clean: Tensor, noise: Tensor, time: Tensor, region: Tensor? = nil
    ) -> Variable {
        let velocity = FlowMatching.velocity(clean, noise)
        if weighting == .none, region == nil { return prediction.meanSquaredError(velocity) }
        precondition(time.shape == [prediction.shape[0]], "times \(time.shape) for predictions \(prediction.shape)")
        var weights = Tensor(time.floats.map { weighting($0) }, [time.count, 1, 1])
        var total = Float(prediction.shape.count)
        if let region {
            let tokens = Array(prediction.shape.dimensions.dropLast()) + [1]
            precondition(region.shape.dimensions == tokens, "a region of \(region.shape), not \(tokens)")
            weights = weights * region
            total = region.sum().scalar * Float(prediction.shape[-1])
        }
        let squares = (prediction - Variable(velocity)).applying(.square) * Variable(weights)
        return squares.sum() * (total > 0 ? 1 / total : 0)
    }
}

/// How much the error at a time counts.
public enum TimeWeighting: String, Sendable, Codable, CaseIterable {
    /// All alike.
    case none
    /// `t^-2`: diffusers' `sigma_sqrt`.
    case sigmaSqrt = "sigma_sqrt"
    /// `2 / (pi (1 - 2 t + 2 t^2))`: the density of a cosine schedule (Esser et al. 2024, section 3.1; diffusers' `cosmap`).
    case cosmap

    /// The weight at a time in `(0, 1]`.
    public func callAsFunction(_ time: Float) -> Float {
        switch self {
        case .none: 1
        case .sigmaSqrt: 1 / (time * time)
        case .cosmap: 2 / (.pi * (1 - 2 * time + 2 * time * time))
        }
    }
}
