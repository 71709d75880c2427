import Autograd
import TensorCore

/// How a plain LoRA is made of a mixture of experts.
public enum FlatteningMethod: String, CaseIterable, Sendable {
    /// The mean of all A and the mean of all B, of the rank of one expert: what users do by hand. The product of the means is
    /// not the mean of the products.
    case averageFactors = "average"
    /// The mean of the experts' products by their mean routing weights, cut to a rank by singular values.
    case weightedMean = "mean"
    /// The same, cut where the activations of the calibration runs lose least.
    case weightedMeanByInputs = "mean-inputs"
    /// The linear map of the experts' activations that came nearest to the mixture's output in the calibration runs, cut
    /// where they lose least.
    case leastSquares = "least-squares"
}

/// Turns the mixtures of a set of adapters into plain LoRAs, which programs without mixtures load.
///
/// ```swift
/// let (_, statistics) = adapters.collectingStatistics { for sample in samples { _ = transformer(sample) } }
/// let conversion = MoEFlattening(adapters, statistics: statistics)
/// let lora = conversion.adapters(.leastSquares, rank: 32, naming: .flux(configuration))
/// ```
///
/// The decompositions are of matrices of `N r` rows, whatever the layer's width: `B = Q R` first, then the singular values
/// of the small core `R K C^(1/2)`, where `K` is the map of the experts' activations `h = A x` to be cut and `C` the metric:
/// `A A^T` for inputs that are alike in all directions, the mean of `h h^T` for those of the calibration runs.
public struct MoEFlattening {
    private let set: AdapterSet
    private let statistics: [String: MixtureStatistics]
    /// What is added to the diagonal of the least squares, as a share of its mean: pulls what the runs leave open to the
    /// weighted mean.
    private static let ridge = 1e-3

    /// Converts the mixtures of `set` by what they did in calibration runs.
    public init(_ set: AdapterSet, statistics: [String: MixtureStatistics]) {
        self.set = set
        self.statistics = statistics
    }

    /// How a plain LoRA compares with the mixture of one layer in some runs.
    public struct LayerReport: Sendable {
        /// The layer.
        public let layer: String
        /// The norm of what the plain LoRA's output differs from the mixture's over that of the mixture's.
        public let relativeError: Double
    }

    /// The set with its mixtures turned into plain LoRAs of at most `rank`; ``FlatteningMethod/averageFactors`` has the rank of
    /// an expert. Plain LoRAs stay as they are.
    public func adapters(_ method: FlatteningMethod, rank: Int, naming: AdapterNaming) -> AdapterFile {
        precondition(rank > 0, "a LoRA of rank \(rank)")
        let layers = set.members.map { member -> AdaptedLayer in
            guard let mixture = member.adapter as? LoRAMoE else {
                return AdaptedLayer(name: member.name, weights: member.adapter.weights)
            }
            let factors = Factors(mixture, method, rank: rank, statistics: statistics[member.name])
            return AdaptedLayer(name: member.name, weights: factors.lora(mixture))
        }
        return AdapterFile(path: "static", layers: layers, naming: naming)
    }

    /// How near each layer comes to its mixture in other runs, whose statistics these are.
    public func reports(
        _ method: FlatteningMethod, rank: Int, on heldOut: [String: MixtureStatistics]
    ) -> [LayerReport] {
        set.mixtures.compactMap { mixture in
            heldOut[mixture.layer].map { other in
                let factors = Factors(mixture, method, rank: rank, statistics: statistics[mixture.layer])
                return LayerReport(layer: mixture.layer, relativeError: factors.error(on: other))
            }
        }
    }

    /// `K = up down` in the experts' activations: the plain LoRA is `(Q up) (down A)` with `B = Q R`.
    private struct Factors {
        let q: Matrix
        let r: Matrix
        /// `[k, R]`.
        let up: Matrix
        /// `[R, N r]`.
        let down: Matrix
        let scale: Double

        init(_ mixture: LoRAMoE, _ method: FlatteningMethod, rank: Int, statistics: MixtureStatistics?) {
            (q, r) = Matrix(mixture.b.value).orthonormalized()
            scale = Double(mixture.alpha) / Double(mixture.rank)
            let (experts, expertRank) = (mixture.experts, mixture.rank)
            let count = experts * expertRank
            if method == .averageFactors {
                var means = Matrix(zeros: expertRank, count)
                for i in 0..<count { means[i % expertRank, i] = 1 / Double(experts) }
                (up, down) = (r * means.transposed * scale, means)
                return
            }
            let known = statistics.flatMap { $0.tokens > 0 && $0.hh.trace > 0 ? $0 : nil }
            let shares = known?.meanWeights ?? [Double](repeating: 1 / Double(experts), count: experts)
            let mean = Matrix(diagonal: (0..<count).map { shares[$0 / expertRank] })
            let metric: Matrix
            var target: (_ vectors: Matrix, _ roots: [Double]) -> Matrix = { mean * $0.scalingColumns(by: $1) }
            if let known, method != .weightedMean {
                let tokens = Double(known.tokens)
                let ridge = MoEFlattening.ridge * known.hh.trace / tokens / Double(count)
                metric = known.hh * (1 / tokens) + Matrix(diagonal: [Double](repeating: ridge, count: count))
                if method == .leastSquares {
                    // (G + ridge K_mean) C^-1 C^(1/2), G the mean of g h^T.
                    let products = known.gh * (1 / tokens) + mean * ridge
                    target = { products * $0.scalingColumns(by: $1.map { $0 > 0 ? 1 / $0 : 0 }) }
                }
            } else {
                let a = Matrix(mixture.a.value)
                metric = a * a.transposed
            }
            let (values, vectors) = metric.symmetricEigenvalues()
            let largest = values.last ?? 0
            let roots = values.map { $0 > largest * 1e-13 ? $0.squareRoot() : 0 }
            let core = r * target(vectors, roots) * scale
            let (u, s, vt) = core.singularValues()
            let kept = min(rank, s.count)
            let halves = s.prefix(kept).map { $0.squareRoot() }
            up = u.firstColumns(kept).scalingColumns(by: halves)
            let inverse = vectors.scalingColumns(by: roots.map { $0 > 0 ? 1 / $0 : 0 })
            down = vt.transposed.firstColumns(kept).scalingColumns(by: halves).transposed * inverse.transposed
        }

        /// The plain LoRA, its scale 1.
        func lora(_ mixture: LoRAMoE) -> AdapterWeights {
            let a = (down * Matrix(mixture.a.value)).tensor
            let lora = LowRank(a: a, b: (q * up).tensor, alpha: Float(a.shape[0]))
            return AdapterWeights(LoRAMethod(rank: lora.rank, alpha: lora.alpha), lora.tensors)
        }

        /// The norm of `Q (scale R g - up down h)` over that of `scale R g`, from the sums over tokens.
        func error(on other: MixtureStatistics) -> Double {
            let (own, map) = (r * scale, up * down)
            let truth = (own * other.gg * own.transposed).trace
            let cross = (own * other.gh * map.transposed).trace
            let guess = (map * other.hh * map.transposed).trace
            return truth > 0 ? (max(0, truth - 2 * cross + guess) / truth).squareRoot() : 0
        }
    }
}
