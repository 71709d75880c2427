public import Autograd
import TensorCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Adam with decoupled weight decay (Loshchilov and Hutter 2019, arXiv 1711.05101), as `torch.optim.AdamW` computes it.
///
/// With the gradient g: `m = beta1 m + (1 - beta1) g`, `v = beta2 v + (1 - beta2) g^2`,
/// `p = p (1 - rate decay) - rate m' / (sqrt(v') + eps)` with the bias-corrected `m' = m / (1 - beta1^t)`,
/// `v' = v / (1 - beta2^t)`.
public final class AdamW: Optimizer {
    /// The settings of ``AdamW``.
    public struct Options: Codable, Sendable, Equatable {
        /// The decay rates of the two moments.
        public var beta1: Double, beta2: Double
        /// Added to the root of the second moment.
        public var epsilon: Double
        /// The share of a parameter that each step takes away, times the learning rate.
        public var weightDecay: Double

        /// PyTorch's defaults.
        public init(beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-8, weightDecay: Double = 0.01) {
            self.beta1 = beta1
            self.beta2 = beta2
            self.epsilon = epsilon
            self.weightDecay = weightDecay
        }
    }

    private struct Moments {
        var first: Tensor
        var second: Tensor
    }

    /// The settings.
    public let options: Options
    /// The number of updates so far.
    public private(set) var stepCount = 0
    /// The names in order of their first update, so that the state has an order too.
    private var names: [String] = []
    private var moments: [String: Moments] = [:]

    /// Begins without moments. The rates must lie in `0..<1`, epsilon above 0.
    public init(_ options: Options = Options()) {
        precondition(0..<1 ~= options.beta1 && 0..<1 ~= options.beta2 && options.epsilon > 0, "AdamW with \(options)")
        self.options = options
    }

    /// See ``Optimizer/update(_:learningRate:)``.
    public func update(_ parameters: [(name: String, parameter: Parameter)], learningRate: Float) {
        OptimizerState.check(parameters)
        stepCount += 1
        let step = AdamWStepOptions(
            learningRate: learningRate, beta1: Float(options.beta1), beta2: Float(options.beta2),
            epsilon: Float(options.epsilon), weightDecay: Float(options.weightDecay),
            biasCorrection1: Float(1 - pow(options.beta1, Double(stepCount))),
            biasCorrection2: Float(1 - pow(options.beta2, Double(stepCount))))
        for (name, parameter) in parameters {
            guard let gradient = parameter.variable.gradient else { continue }
            let shape = parameter.value.shape
            if moments[name] == nil { names.append(name) }
            // Taken out, so that moments that no snapshot holds are written in place.
            var next =
                moments.removeValue(forKey: name)
                ?? Moments(first: Tensor(zeros: shape), second: Tensor(zeros: shape))
            next.first.makeSoleOwner()
            next.second.makeSoleOwner()
            parameter.update {
                Device.backend.adamWStep(
                    $0, gradient: gradient.contiguous(), first: next.first, second: next.second, options: step)
            }
            moments[name] = next
        }
    }

    /// `step`; `first/{parameter}` and `second/{parameter}`.
    public var state: OptimizerState {
        OptimizerState(
            scalars: ["step": Double(stepCount)],
            tensors: names.flatMap { name -> [(name: String, tensor: Tensor)] in
                guard let moments = moments[name] else { return [] }
                return [("first/\(name)", moments.first), ("second/\(name)", moments.second)]
            })
    }

    /// See ``Optimizer/restore(_:for:)``.
    public func restore(_ state: OptimizerState, for parameters: [(name: String, parameter: Parameter)]) throws {
        _ = try state.scalars(["step"])
        let count = try state.stepCount()
        let tensors = try state.tensors(["first", "second"], for: parameters)
        stepCount = count
        names = parameters.map(\.name).filter { tensors[$0] != nil }
        moments = tensors.compactMapValues { kinds in
            guard let first = kinds["first"], let second = kinds["second"] else { return nil }
            return Moments(first: first, second: second)
        }
    }
}
