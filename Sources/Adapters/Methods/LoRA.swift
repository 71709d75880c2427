public import Autograd
public import NeuralNet
public import TensorCore
public import TensorIO

/// Low-rank adaptation of a linear layer (Hu et al. 2021, arXiv 2106.09685): `y + alpha / r * B A x`.
public struct LoRAMethod: AdapterMethod {
    /// The rank r.
    public var rank: Int
    /// The update is scaled by `alpha / rank`.
    public var alpha: Float

    /// Collects the hyperparameters.
    public init(rank: Int = 32, alpha: Float = 32) {
        (self.rank, self.alpha) = (rank, alpha)
    }

    /// The section of configurations: `lora`.
    public static let name = "lora"
    /// The word in lists.
    public static let noun = "LoRA"
    /// The words in errors.
    public static let title = "a plain LoRA"
    /// Its tensors in the order in which they are trained.
    public static let tensorNames = [LowRank.downName, LowRank.upName]
    /// The formats that hold it.
    public static let formats = AdapterFormat.allCases

    /// The hyperparameters in a few words.
    public var summary: String { "rank \(rank), alpha \(alpha)" }
    /// What is wrong with the hyperparameters.
    public var faults: [(key: String, message: String)] { LowRank.faults(rank: rank, alpha: alpha) }

    // MARK: Making

    /// Fresh weights that change nothing.
    public func freshTensors(for layer: Linear, pooledWidth: Int?, random: inout Random) -> [String: Tensor] {
        LowRank(fresh: layer, rank: rank, alpha: alpha, random: &random).tensors
    }

    /// The adapter with these tensors.
    public func makeAdapter(_ tensors: [String: Tensor], layer: String, context: AdapterContext) -> any AdapterModule {
        LoRA(LowRank(tensors, alpha: alpha), context: context)
    }

    // MARK: Reading

    /// Whether a layer with these tensors has such an adapter.
    public static func claims(_ roles: Set<AdapterRole>, peftFlags: Set<String>) -> Bool { true }

    /// The weights of a layer in a file. Throws `FileError`.
    public static func read(_ layer: AdapterLayerReader) throws -> AdapterWeights {
        let lora = try LowRank(layer)
        return AdapterWeights(LoRAMethod(rank: lora.rank, alpha: lora.alpha), lora.tensors)
    }

    /// The weights of the model's layers that a file keeps as one.
    public static func split(
        _ weights: AdapterWeights, at place: AdapterPlace, reader: AdapterLayerReader
    ) -> [AdaptedLayer] {
        LowRank(weights).split(place).map { part in
            AdaptedLayer(
                name: part.name,
                weights: AdapterWeights(LoRAMethod(rank: part.lora.rank, alpha: part.lora.alpha), part.lora.tensors))
        }
    }

    /// The weights of a layer among a run's parameters. Throws `FileError`.
    public func restored(_ layer: String, from parameters: any TensorArchive) throws -> AdapterWeights {
        AdapterWeights(
            self, try LowRank(restoring: layer, from: parameters, rows: rank, "rank \(rank)", alpha: alpha).tensors)
    }

    // MARK: Writing

    /// What a file of the format holds.
    public func encoded(_ tensors: [String: Tensor], as format: AdapterFormat) -> EncodedAdapter {
        LowRank(tensors, alpha: alpha).encoded(as: format)
    }

    /// One adapter for the layers of an mapping.
    public static func joined(
        _ parts: [String: AdapterWeights], mapping: AdapterNaming.LayerMapping, folds: Bool
    ) -> AdapterWeights {
        let lora = LowRank(joining: parts.mapValues { LowRank($0) }, mapping: mapping, folds: folds)
        return AdapterWeights(LoRAMethod(rank: lora.rank, alpha: lora.alpha), lora.tensors)
    }

    // MARK: Merging, beginning, inspecting

    /// What is added to rows of a weight.
    public func update(_ tensors: [String: Tensor], rows: Range<Int>, of weight: Tensor) -> WeightUpdate {
        WeightUpdate(products: [LowRank(tensors, alpha: alpha).product(rows)])
    }

    /// By what the hyperparameters differ from those of a start.
    public func differences(from start: LoRAMethod) -> [AdapterDifference] {
        [
            AdapterDifference("rank", start.rank, rank),
            AdapterDifference("alpha", start.alpha, alpha, isScale: true),
        ].compactMap(\.self)
    }

    /// The tensors of a start, scaled to the same outputs.
    public func tensors(_ tensors: [String: Tensor], of start: LoRAMethod) -> [String: Tensor] {
        LowRank(tensors, alpha: start.alpha).scaled(to: alpha).tensors
    }

    /// How many inputs the layer has, from its tensors' shapes.
    public static func inputs(_ shapes: [AdapterRole: Shape]) -> Int? { LowRank.inputs(shapes) }

    /// The rank, from its tensors' shapes.
    public static func rank(_ shapes: [AdapterRole: Shape]) -> Int? { LowRank.rank(shapes) }

    /// Layers of a file in a phrase.
    public static func phrase(_ layers: [[AdapterRole: Shape]]) -> String {
        "\(layers.count) \(noun)s of rank \(countedList(layers.map { rank($0) ?? 0 }))"
    }
}

/// A ``LoRAMethod`` beside a layer.
///
/// Shapes: `A` `[r, in]`, `B` `[out, r]`, both `float32` masters. They are rounded to the input's type for the two
/// multiplications, as mixed-precision training does, and their gradients are `float32`.
public final class LoRA: AdapterModule {
    /// The down projection, `[r, in]`.
    public let a: Parameter
    /// The up projection, `[out, r]`.
    public let b: Parameter
    /// The product is scaled by `alpha / rank`.
    public let alpha: Float
    private let context: AdapterContext

    /// The rank r.
    public var rank: Int { a.shape[0] }

    /// The method with this rank and alpha.
    public var method: any AdapterMethod { LoRAMethod(rank: rank, alpha: alpha) }

    /// The down projection, then the up projection.
    public var parameters: [(name: String, parameter: Parameter)] {
        [(LowRank.downName.name, a), (LowRank.upName.name, b)]
    }

    init(_ lora: LowRank, context: AdapterContext) {
        a = Parameter(lora.a, isTrained: true)
        b = Parameter(lora.b, isTrained: true)
        alpha = lora.alpha
        self.context = context
    }

    /// The input's down projection, scaled by `alpha / rank` and the set's strength where it is of low rank, with the up
    /// projection; nothing at strength 0.
    public func contribution(to layer: Linear, of parts: [Variable]) -> LinearContribution {
        if context.strength == 0 { return LinearContribution() }
        let dtype = parts[0].dtype
        let down = Variable.linear(joining: parts, weight: a.variable.converted(to: dtype), dtype: dtype)
        let scale = alpha / Float(rank) * context.strength
        return LinearContribution(terms: [(scale == 1 ? down : down * scale, b.variable.converted(to: dtype))])
    }
}
