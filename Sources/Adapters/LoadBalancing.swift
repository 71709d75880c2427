import Autograd
import TensorCore

/// The losses that keep a router honest, and what its report needs.
extension Routing {
    /// The share of the token slots that went to each expert, `[N]`; the shares sum to 1. A constant: the choice itself
    /// has no gradient.
    var load: Tensor {
        let chosen = mask.converted(to: .float32).reshaped(to: [-1, mask.shape[-1]])
        let slots = chosen.sum()
        return chosen.sum(axes: [0]) / slots
    }

    /// The mean probability of each expert, `[N]`.
    var meanProbability: Variable { probabilities.reshaped(to: [-1, mask.shape[-1]]).mean(axes: [0]) }

    /// `N sum_i f_i P_i` of loads f and mean probabilities P: 1 when both are even (Fedus et al. 2021, arXiv 2101.03961,
    /// equation 4).
    static func loadBalance(load: Tensor, probability: Variable) -> Variable {
        (probability * Variable(load)).sum() * Float(load.count)
    }

    /// The mean squared logarithm of the softmax's denominator: small logits (Zoph et al. 2022, arXiv 2202.08906,
    /// equation 5).
    var zLoss: Variable { logits.logSumExp().applying(.square).mean() }

    /// The mean over tokens of `-sum_i p_i log p_i`, in nats; without gradient.
    var entropy: Tensor {
        let logits = logits.value
        let largest = logits.maximum(axes: [-1], keepingAxes: true)
        let shifted = logits - largest
        let denominator = shifted.applying(.exponential).sum(axes: [-1]).applying(.logarithm)
        return (denominator - (probabilities.value * shifted).sum(axes: [-1])).mean()
    }

    /// The values of ``RoutingReport``, in the order that it reads them.
    var auxiliaryOutputs: [Variable] {
        let (load, probability) = (self.load, meanProbability)
        return [
            Self.loadBalance(load: load, probability: probability), zLoss, Variable(load), probability,
            Variable(entropy),
        ]
    }
}
