import Glibc
public import TensorCore

/// How the times of training samples are drawn from `(0, 1)`, where 1 is pure noise.
///
/// A new distribution is a value of this protocol and, to have a name in configurations, a case of ``TimeSampling``.
public protocol TimeDistribution: Sendable {
    /// A time for a sample of which so many tokens are generated.
    func sample(_ random: inout Random, tokenCount: Int) -> Float
}

/// The sigmoid of a normal (Esser et al. 2024, section 3.1).
public struct LogitNormalTimes: TimeDistribution, Hashable {
    /// Mean of the normal.
    public var mean: Double
    /// Its standard deviation.
    public var deviation: Double

    /// Collects both; the default is ICEdit's.
    public init(mean: Double = 0, deviation: Double = 1) { (self.mean, self.deviation) = (mean, deviation) }

    /// A time for a sample of which so many tokens are generated.
    public func sample(_ random: inout Random, tokenCount: Int) -> Float {
        Float(1 / (1 + exp(-(mean + deviation * random.normal()))))
    }
}

/// Every time alike.
public struct UniformTimes: TimeDistribution, Hashable {
    /// There is nothing to set.
    public init() {}

    /// A time for a sample of which so many tokens are generated.
    public func sample(_ random: inout Random, tokenCount: Int) -> Float { random.uniform() }
}

/// Times of a distribution moved towards noise: `s t / (1 + (s - 1) t)` (Esser et al. 2024, section 5.3.2).
public struct ShiftedTimes: TimeDistribution {
    /// What is moved.
    public var times: any TimeDistribution
    /// How far: 1 moves nothing.
    public var shift: Double

    /// Collects both.
    public init(_ times: any TimeDistribution = LogitNormalTimes(), shift: Double) {
        (self.times, self.shift) = (times, shift)
    }

    /// A time for a sample of which so many tokens are generated.
    public func sample(_ random: inout Random, tokenCount: Int) -> Float {
        let time = Double(times.sample(&random, tokenCount: tokenCount))
        return Float(shift * time / (1 + (shift - 1) * time))
    }
}

/// Times moved towards noise the more tokens a sample has, as FLUX samples: by `e^mu`, with mu linear in the number of tokens,
/// 0.5 at 256 and 1.15 at 4096 (the shift of Black Forest Labs' sampler; sd-scripts' `flux_shift`).
public struct LengthShiftedTimes: TimeDistribution {
    /// What is moved.
    public var times: any TimeDistribution

    /// Moves the times of another distribution.
    public init(_ times: any TimeDistribution = LogitNormalTimes()) { self.times = times }

    /// A time for a sample of which so many tokens are generated.
    public func sample(_ random: inout Random, tokenCount: Int) -> Float {
        let mu = 0.5 + (1.15 - 0.5) / (4096 - 256) * Double(tokenCount - 256)
        return ShiftedTimes(times, shift: exp(mu)).sample(&random, tokenCount: tokenCount)
    }
}

/// The names that configurations have for distributions of times.
public enum TimeSampling: String, Sendable, Codable, CaseIterable {
    /// ``LogitNormalTimes`` of the given mean and deviation.
    case logitNormal = "logit_normal"
    /// ``UniformTimes``.
    case uniform
    /// ``LogitNormalTimes`` of mean 0 and the given deviation.
    case sigmoid
    /// ``ShiftedTimes`` of a logit-normal by the given shift.
    case shift
    /// ``LengthShiftedTimes`` of a logit-normal.
    case lengthShift = "length_shift"

    /// The distribution with the settings that it uses.
    public func distribution(mean: Double, deviation: Double, shift: Double) -> any TimeDistribution {
        let logitNormal = LogitNormalTimes(mean: mean, deviation: deviation)
        switch self {
        case .logitNormal: return logitNormal
        case .uniform: return UniformTimes()
        case .sigmoid: return LogitNormalTimes(deviation: deviation)
        case .shift: return ShiftedTimes(logitNormal, shift: shift)
        case .lengthShift: return LengthShiftedTimes(logitNormal)
        }
    }
}
