import Autograd
import TensorCore

/// What a mixture of experts did with the tokens of some runs: enough to tell how near a plain LoRA comes to it.
///
/// With `h = A x`, the activations of all experts, `[N r]`, and `g`, the same multiplied by the routing weights, the
/// mixture adds `B g`. The sums of `h h^T`, `g h^T` and `g g^T` over the tokens, each `[N r, N r]`, give the error of any
/// `K h` in the place of `B g`, and the best K.
public final class MixtureStatistics {
    /// How many tokens there were.
    public private(set) var tokens = 0
    /// The sum of the routing weights of each expert.
    private(set) var weights: [Double]
    private(set) var hh: Matrix
    private(set) var gh: Matrix
    private(set) var gg: Matrix

    init(experts: Int, rank: Int) {
        let count = experts * rank
        weights = [Double](repeating: 0, count: experts)
        hh = Matrix(zeros: count, count)
        gh = hh
        gg = hh
    }

    /// The mean routing weight of each expert, 0 for those that were never chosen; even shares without a token.
    public var meanWeights: [Double] {
        tokens > 0
            ? weights.map { $0 / Double(tokens) }
            : [Double](repeating: 1 / Double(weights.count), count: weights.count)
    }

    /// Whether every sum is a finite number.
    public var isFinite: Bool { (hh.trace + gg.trace + weights.reduce(0, +)).isFinite }

    /// Adds tokens: `down` `[…, N r]`, the experts' activations, and `routing` `[…, N]`.
    func add(down: Tensor, routing: Tensor) {
        let h = down.converted(to: .float32).reshaped(to: [-1, hh.rows])
        let w = routing.converted(to: .float32).reshaped(to: [-1, weights.count])
        let rank = hh.rows / weights.count
        let g = (h.reshaped(to: [-1, weights.count, rank]) * w.unsqueezed(-1)).reshaped(to: [-1, hh.rows])
        tokens += h.shape[0]
        for (expert, sum) in w.sum(axes: [0]).floats.enumerated() { weights[expert] += Double(sum) }
        hh = hh + Matrix(h.matrixProduct(h, transposingSelf: true))
        gh = gh + Matrix(g.matrixProduct(h, transposingSelf: true))
        gg = gg + Matrix(g.matrixProduct(g, transposingSelf: true))
    }
}

extension AdapterSet {
    /// Runs `body` and gives besides its result what each mixture did meanwhile, by layer.
    public func collectingStatistics<Result>(
        _ body: () throws -> Result
    ) rethrows -> (result: Result, statistics: [String: MixtureStatistics]) {
        for mixture in mixtures {
            mixture.statistics = MixtureStatistics(experts: mixture.experts, rank: mixture.rank)
        }
        defer { for mixture in mixtures { mixture.statistics = nil } }
        let result = try body()
        return (result, Dictionary(uniqueKeysWithValues: mixtures.map { ($0.layer, $0.statistics!) }))
    }
}
