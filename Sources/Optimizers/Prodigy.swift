public import Autograd
import TensorCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Adam that finds its own step size (Mishchenko and Defazio 2023, arXiv 2306.06101), with the numbers of `prodigyopt`.
///
/// The estimate d of the distance to the solution grows with the correlation of the gradients with the way from the
/// start `p0`. Leave the learning rate at 1; a schedule may lower it.
public final class Prodigy: Optimizer {
    /// The settings of ``Prodigy``.
    public struct Options: Codable, Sendable, Equatable {
        /// The decay rates of the two moments.
        public var beta1: Double, beta2: Double
        /// The decay rate of the numbers that d comes from; `sqrt(beta2)` when nil.
        public var beta3: Double?
        /// Added, times d, to the root of the second moment.
        public var epsilon: Double
        /// The share of a parameter that each step takes away, times the step size; decoupled as in AdamW.
        public var weightDecay: Double
        /// The first estimate of d.
        public var initialD: Double
        /// A factor on the estimates of d: the knob to turn, 0.5 or 2 for instance.
        public var dCoefficient: Double
        /// By how much d may grow in a step; without limit when nil.
        public var growthRate: Double?
        /// Whether the step size is corrected for the young moments, as Adam's is.
        public var usesBiasCorrection: Bool
        /// Whether d's denominator leaves out the step size, so that a warm-up does not inflate d.
        public var safeguardsWarmup: Bool

        /// `prodigyopt`'s defaults.
        public init(
            beta1: Double = 0.9, beta2: Double = 0.999, beta3: Double? = nil, epsilon: Double = 1e-8,
            weightDecay: Double = 0, initialD: Double = 1e-6, dCoefficient: Double = 1, growthRate: Double? = nil,
            usesBiasCorrection: Bool = false, safeguardsWarmup: Bool = false
        ) {
            self.beta1 = beta1
            self.beta2 = beta2
            self.beta3 = beta3
            self.epsilon = epsilon
            self.weightDecay = weightDecay
            self.initialD = initialD
            self.dCoefficient = dCoefficient
            self.growthRate = growthRate
            self.usesBiasCorrection = usesBiasCorrection
            self.safeguardsWarmup = safeguardsWarmup
        }

        /// How ICEdit was trained: weight decay 0.01, bias correction, safeguarded warm-up.
        public static let icedit = Options(weightDecay: 0.01, usesBiasCorrection: true, safeguardsWarmup: true)
    }

    /// What is kept of one parameter.
    private struct Memory {
        var moments: ProdigyMoments
        /// The parameter at its first step; a scalar 0 when all its elements were 0.
        var start: Tensor
    }

    /// The settings.
    public let options: Options
    /// The number of updates so far.
    public private(set) var stepCount = 0
    /// The estimate of the distance to the solution; the effective learning rate is `d` times the given one.
    public private(set) var d: Double
    private var largestD: Double
    private var numerator = 0.0
    private var names: [String] = []
    private var memories: [String: Memory] = [:]

    /// Begins with `d = initialD`. The rates must lie in `0..<1`; epsilon, `initialD` and the growth rate above 0.
    public init(_ options: Options = Options()) {
        precondition(
            0..<1 ~= options.beta1 && 0..<1 ~= options.beta2 && options.epsilon > 0 && options.initialD > 0
                && options.growthRate ?? 1 > 0, "Prodigy with \(options)")
        self.options = options
        d = options.initialD
        largestD = d
    }

    /// See ``Optimizer/update(_:learningRate:)``. Until the first gradient other than 0 nothing happens, and
    /// ``stepCount`` stays.
    public func update(_ parameters: [(name: String, parameter: Parameter)], learningRate: Float) {
        OptimizerState.check(parameters)
        let rate = stepSize(learningRate: Double(learningRate))
        let active = parameters.filter { $0.parameter.variable.gradient != nil }
        var numerator = self.numerator * beta3
        var denominator = 0.0
        if learningRate > 0 {
            for (name, parameter) in active {
                let terms = remember(name, parameter, rate: rate)
                numerator += terms.numerator
                denominator += terms.denominator
            }
        } else {
            for (name, parameter) in active where memories[name] == nil { begin(name, parameter) }
        }
        if denominator == 0 { return }
        self.numerator = numerator
        grow(options.dCoefficient * numerator / denominator, rate: rate, parameters: active)
    }

    private var beta3: Double { options.beta3 ?? options.beta2.squareRoot() }

    /// The factor on every direction of this step.
    private func stepSize(learningRate: Double) -> Double {
        guard options.usesBiasCorrection else { return d * learningRate }
        let age = Double(stepCount + 1)
        return d * learningRate * (1 - pow(options.beta2, age)).squareRoot() / (1 - pow(options.beta1, age))
    }

    private func begin(_ name: String, _ parameter: Parameter) {
        let value = parameter.value
        let isZero = value.applying(.absolute).maximum().scalar == 0
        names.append(name)
        memories[name] = Memory(
            moments: ProdigyMoments(
                first: Tensor(zeros: value.shape), second: Tensor(zeros: value.shape), sum: Tensor(zeros: value.shape)),
            start: isZero ? Tensor(0) : value)
    }

    /// Takes a gradient into the moments; gives the parameter's terms of d's quotient.
    private func remember(
        _ name: String, _ parameter: Parameter, rate: Double
    ) -> (numerator: Double, denominator: Double) {
        guard let gradient = parameter.variable.gradient else { return (0, 0) }
        if memories[name] == nil { begin(name, parameter) }
        // Taken out, so that moments that no snapshot holds are written in place.
        guard var memory = memories.removeValue(forKey: name) else { preconditionFailure("no memory of \(name)") }
        memory.moments.first.makeSoleOwner()
        memory.moments.second.makeSoleOwner()
        memory.moments.sum.makeSoleOwner()
        let scale = d / options.initialD
        let sums = Device.backend.prodigyMoments(
            memory.moments, gradient: gradient, parameter: parameter.value,
            start: memory.start.rank == 0 && parameter.value.rank > 0 ? nil : memory.start,
            options: ProdigyMomentOptions(
                beta1: Float(options.beta1), beta2: Float(options.beta2), beta3: Float(beta3),
                first: Float(d * (1 - options.beta1)), second: Float(d * d * (1 - options.beta2)),
                sum: Float(scale * (options.safeguardsWarmup ? d : rate))))
        memories[name] = memory
        return (scale * rate * sums.correlation, sums.magnitude)
    }

    /// Lets d grow towards `estimate`, then moves the parameters with the step size that was there before.
    private func grow(_ estimate: Double, rate: Double, parameters: [(name: String, parameter: Parameter)]) {
        if d == options.initialD { d = max(d, estimate) }
        largestD = max(largestD, estimate)
        d = min(largestD, d * (options.growthRate ?? .infinity))
        stepCount += 1
        for (name, parameter) in parameters {
            guard let memory = memories[name] else { continue }
            parameter.update {
                Device.backend.prodigyStep(
                    $0, moments: memory.moments, decay: Float(1 - options.weightDecay * rate), step: Float(rate),
                    epsilon: Float(d * options.epsilon))
            }
        }
    }

    /// `step`, `d`, `d_max`, `d_numerator`; `first/{parameter}`, `second/…`, `sum/…` and `start/…`.
    public var state: OptimizerState {
        OptimizerState(
            scalars: ["step": Double(stepCount), "d": d, "d_max": largestD, "d_numerator": numerator],
            tensors: names.flatMap { name -> [(name: String, tensor: Tensor)] in
                guard let memory = memories[name] else { return [] }
                return [
                    ("first/\(name)", memory.moments.first), ("second/\(name)", memory.moments.second),
                    ("sum/\(name)", memory.moments.sum), ("start/\(name)", memory.start),
                ]
            })
    }

    /// See ``Optimizer/restore(_:for:)``.
    public func restore(_ state: OptimizerState, for parameters: [(name: String, parameter: Parameter)]) throws {
        let scalars = try state.scalars(["step", "d", "d_max", "d_numerator"])
        let count = try state.stepCount()
        for name in ["d", "d_max"] where scalars[name, default: 0] <= 0 {
            throw OptimizerStateError(name: name, expected: "a number above 0", found: "\(scalars[name, default: 0])")
        }
        let tensors = try state.tensors(["first", "second", "sum", "start"], scalarKinds: ["start"], for: parameters)
        stepCount = count
        d = scalars["d", default: d]
        largestD = scalars["d_max", default: d]
        numerator = scalars["d_numerator", default: 0]
        names = parameters.map(\.name).filter { tensors[$0] != nil }
        memories = tensors.compactMapValues { kinds in
            guard let first = kinds["first"], let second = kinds["second"], let sum = kinds["sum"],
                let start = kinds["start"]
            else { return nil }
            return Memory(moments: ProdigyMoments(first: first, second: second, sum: sum), start: start)
        }
    }
}
