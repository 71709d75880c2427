public import Autograd
import TensorCore

/// A running average of parameters, `average = decay * average + (1 - decay) * value` after each step: smoother weights
/// to evaluate and export (Polyak and Juditsky 1992).
///
/// The first update takes the values as they are. With ``usesWarmup`` the decay of update n is at most
/// `(1 + n) / (10 + n)`, so that the early values are soon forgotten.
public final class ExponentialMovingAverage {
    /// The share of the old average that each update keeps.
    public let decay: Double
    /// Whether young averages decay faster.
    public let usesWarmup: Bool
    /// The number of updates so far.
    public private(set) var updateCount = 0
    private var names: [String] = []
    private var averages: [String: Tensor] = [:]

    /// Begins empty; the decay lies in `0..<1`.
    public init(decay: Double, usesWarmup: Bool = true) {
        precondition(0..<1 ~= decay, "an average with decay \(decay)")
        self.decay = decay
        self.usesWarmup = usesWarmup
    }

    /// Takes the parameters' present values in. Averages are replaced, never written into: a snapshot stays as it is.
    public func update(_ parameters: [(name: String, parameter: Parameter)]) {
        let count = Double(updateCount)
        let decay = Float(usesWarmup ? min(self.decay, (1 + count) / (10 + count)) : self.decay)
        updateCount += 1
        for (name, parameter) in parameters {
            guard let old = averages[name] else {
                names.append(name)
                averages[name] = parameter.value
                continue
            }
            let average = old.copied()
            average.accumulate(parameter.value, scale: 1 - decay, targetScale: decay)
            averages[name] = average
        }
    }

    /// Runs `body` with the averages in place of the parameters' values, then puts the values back, also when `body`
    /// throws. Parameters that were never averaged keep their values; gradients are dropped.
    public func withAverages<Result>(
        of parameters: [(name: String, parameter: Parameter)], _ body: () throws -> Result
    ) rethrows -> Result {
        let values = parameters.map(\.parameter.value)
        for (name, parameter) in parameters { if let average = averages[name] { parameter.replace(average) } }
        defer { for (entry, value) in zip(parameters, values) { entry.parameter.replace(value) } }
        return try body()
    }

    /// `updates`; the averages under their parameters' names, `average/{parameter}`.
    public var state: OptimizerState {
        OptimizerState(
            scalars: ["step": Double(updateCount)],
            tensors: names.compactMap { name in averages[name].map { ("average/\(name)", $0) } })
    }

    /// Continues where ``state`` was taken. Throws ``OptimizerStateError`` when it does not fit the parameters; nothing has
    /// changed then.
    public func restore(_ state: OptimizerState, for parameters: [(name: String, parameter: Parameter)]) throws {
        _ = try state.scalars(["step"])
        let count = try state.stepCount()
        let tensors = try state.tensors(["average"], for: parameters)
        updateCount = count
        names = parameters.map(\.name).filter { tensors[$0] != nil }
        averages = tensors.compactMapValues { $0["average"] }
    }
}
