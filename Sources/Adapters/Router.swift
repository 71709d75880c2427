public import Autograd
import TensorCore

/// The choice of experts for each token: a linear map without bias, a softmax, and the k largest.
///
/// The arithmetic is `float32` whatever the model's type is: routing flips on small differences ("selective precision",
/// Fedus et al. 2021, arXiv 2101.03961).
public final class Router {
    /// From the token, `[N, in]`.
    public let weight: Parameter
    /// From the pooled text, `[N, P]`; nil when the router sees the token alone.
    public let pooledWeight: Parameter?
    /// Top-k and gate.
    public let options: RoutingOptions

    /// The number of experts.
    public var experts: Int { weight.value.shape[0] }

    init(weight: Tensor, pooledWeight: Tensor?, options: RoutingOptions) {
        precondition(options.topK >= 1 && options.topK <= weight.shape[0], "top \(options.topK) of \(weight.shape[0])")
        precondition((options.input == .tokenAndPooledText) == (pooledWeight != nil), "a router for \(options.input)")
        self.weight = Parameter(weight, isTrained: true)
        self.pooledWeight = pooledWeight.map { Parameter($0, isTrained: true) }
        self.options = options
    }

    /// Routes tokens, the parts of `[B, …, in]`; `pooledText` is `[B, P]`.
    func callAsFunction(_ parts: [Variable], pooledText: Variable?) -> Routing {
        let tokens = parts[0]
        var logits = Variable.linear(joining: parts, weight: weight.variable, dtype: .float32)
        if let pooledWeight {
            guard let pooledText else {
                preconditionFailure("a router that sees the pooled text, in a model that gives none (ForwardContext)")
            }
            precondition(
                pooledText.shape.rank == 2 && tokens.shape.rank >= 2 && pooledText.shape[0] == tokens.shape[0]
                    && pooledText.shape[1] == pooledWeight.value.shape[1],
                "pooled text \(pooledText.shape) for tokens \(tokens.shape) and a router \(pooledWeight.value.shape)")
            let share = pooledText.linear(weight: pooledWeight.variable, dtype: .float32)
            let between = [Int](repeating: 1, count: tokens.shape.rank - 2)
            logits = logits + share.reshaped(to: [pooledText.shape[0]] + between + [experts])
        }
        let probabilities = logits.softmax()
        let mask: Tensor
        var weights: Variable
        switch options.gate {
        case .softmaxBeforeTopK:
            mask = probabilities.value.topKMask(options.topK)
            weights = probabilities * Variable(mask.converted(to: .float32))
            if options.renormalizesWeights { weights = weights / weights.sum(axes: [-1], keepingAxes: true) }
        case .softmaxAfterTopK:
            mask = logits.value.topKMask(options.topK)
            let excluded = Variable(Tensor(full: [1], -.infinity))
            weights = Variable.select(mask, logits, excluded).softmax()
        }
        return Routing(logits: logits, probabilities: probabilities, mask: mask, weights: weights)
    }
}

/// A router's choice for each token; the last axis of each member counts the experts.
struct Routing {
    /// What the linear map gave.
    let logits: Variable
    /// Softmax over all experts.
    let probabilities: Variable
    /// Which experts work on the token.
    let mask: Tensor
    /// Their weights; 0 for the others.
    let weights: Variable
}
