public import Autograd
import TensorCore

/// How the tokens of one run were spread over the experts, and the losses that spread them evenly.
///
/// ```swift
/// let (output, side) = AuxiliaryOutputs.collecting { transformer(input) }
/// let routing = adapters.routingReport(side)
/// let loss = output.meanSquaredError(velocity) + routing.loadBalance * 1e-2 + routing.routerZ * 1e-3
/// ```
public struct RoutingReport {
    /// The mean over mixtures of `N sum_i f_i P_i`, a scalar on the tape; 0 without a mixture.
    public let loadBalance: Variable
    /// The mean over mixtures of the router z-loss, a scalar on the tape; 0 without a mixture.
    public let routerZ: Variable
    /// The numbers of each mixture, in the order in which the model ran them.
    public let layers: [RoutingStatistics]

    init(_ entries: [AuxiliaryOutputs.Entry]) {
        func average(_ place: Int) -> Variable {
            guard let first = entries.first else { return Variable(Tensor(0)) }
            return entries.dropFirst().reduce(first.values[place]) { $0 + $1.values[place] }
                * (1 / Float(entries.count))
        }
        loadBalance = average(0)
        routerZ = average(1)
        layers = entries.map {
            RoutingStatistics(
                layer: $0.name, load: $0.values[2].value.floats, probability: $0.values[3].value.floats,
                entropy: $0.values[4].value.scalar, loadBalance: $0.values[0].value.scalar,
                routerZ: $0.values[1].value.scalar)
        }
    }
}

/// The routing of one mixture in numbers.
public struct RoutingStatistics: Codable, Sendable, Equatable {
    /// The full name of the layer.
    public var layer: String
    /// The share f of the token slots that went to each expert; the shares sum to 1.
    public var load: [Float]
    /// The mean probability P of each expert.
    public var probability: [Float]
    /// The mean entropy of a token's probabilities in nats: log N for a router that cannot tell experts apart, 0 for one
    /// that is sure.
    public var entropy: Float
    /// `N sum_i f_i P_i`.
    public var loadBalance: Float
    /// The router z-loss.
    public var routerZ: Float

    /// The mean of several runs' numbers, layer by layer: of the micro-batches of a step, say. Every run must have the
    /// same layers.
    public static func average(_ runs: [[RoutingStatistics]]) -> [RoutingStatistics] {
        guard var result = runs.first else { return [] }
        let share = 1 / Float(runs.count)
        for place in result.indices {
            let same = runs.map { run in
                precondition(run.count == result.count && run[place].layer == result[place].layer, "other layers")
                return run[place]
            }
            func mean(_ value: (RoutingStatistics) -> Float) -> Float { same.reduce(0) { $0 + value($1) } * share }
            for expert in result[place].load.indices {
                result[place].load[expert] = mean { $0.load[expert] }
                result[place].probability[expert] = mean { $0.probability[expert] }
            }
            result[place].entropy = mean(\.entropy)
            result[place].loadBalance = mean(\.loadBalance)
            result[place].routerZ = mean(\.routerZ)
        }
        return result
    }
}
