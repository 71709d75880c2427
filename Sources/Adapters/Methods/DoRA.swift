public import Autograd
public import NeuralNet
public import TensorCore
public import TensorIO

/// Weight-decomposed low-rank adaptation (Liu et al. 2024, arXiv 2402.09353):
/// `y = m / ||W + s B A|| * (W x + s B A x) + b`, with `s = alpha / r`, a trained magnitude `m` for each output and the norm over
/// the inputs.
///
/// As in PEFT (`peft/tuners/lora/dora.py`) the norm is a constant for gradients, and the bias is not scaled. Tensors: A
/// `[r, in]`, B `[out, r]`, m `[out]`. kohya's, LyCORIS' and ComfyUI's files keep m as `dora_scale`, `[out, 1]`; those with
/// norms over the outputs, `[1, in]`, are another method and are refused.
public struct DoRAMethod: AdapterMethod {
    /// The rank r.
    public var rank: Int
    /// The update is scaled by `alpha / rank`.
    public var alpha: Float

    /// Collects the hyperparameters.
    public init(rank: Int = 32, alpha: Float = 32) {
        (self.rank, self.alpha) = (rank, alpha)
    }

    /// The section of configurations: `dora`.
    public static let name = "dora"
    /// The word in lists.
    public static let noun = "DoRA"
    /// The words in errors.
    public static let title = "a DoRA"
    static let magnitudeName = AdapterTensorName("lora_magnitude_vector", kohya: "dora_scale")
    private static let magnitude = AdapterRole(magnitudeName.name)
    /// Its tensors in the order in which they are trained.
    public static let tensorNames = [LowRank.downName, LowRank.upName, magnitudeName]
    /// The formats that hold it.
    public static let formats = [AdapterFormat.peft, .kohya, .comfyui, .lycoris, .diptych]
    /// The flag of PEFT's configuration.
    public static let peftFlag: String? = "use_dora"

    /// The hyperparameters in a few words.
    public var summary: String { "rank \(rank), alpha \(alpha)" }
    /// What is wrong with the hyperparameters.
    public var faults: [(key: String, message: String)] { LowRank.faults(rank: rank, alpha: alpha) }

    private static func weights(_ lora: LowRank, _ magnitude: Tensor) -> AdapterWeights {
        AdapterWeights(
            DoRAMethod(rank: lora.rank, alpha: lora.alpha), lora.tensors.merging([magnitudeName.name: magnitude]) { $1 }
        )
    }

    // MARK: Making

    /// A and B as a plain LoRA's, m the norms of the weight's rows.
    public func freshTensors(for layer: Linear, pooledWidth: Int?, random: inout Random) -> [String: Tensor] {
        let lora = LowRank(fresh: layer, rank: rank, alpha: alpha, random: &random)
        return Self.weights(lora, layer.squaredRowNorms.applying(.squareRoot)).tensors
    }

    /// The adapter with these tensors.
    public func makeAdapter(_ tensors: [String: Tensor], layer: String, context: AdapterContext) -> any AdapterModule {
        DoRA(LowRank(tensors, alpha: alpha), magnitude: tensors[Self.magnitudeName.name]!, context: context)
    }

    // MARK: Reading

    /// Whether a layer with these tensors has such an adapter.
    public static func claims(_ roles: Set<AdapterRole>, peftFlags: Set<String>) -> Bool {
        roles.contains(magnitude)
            || peftFlags.contains("use_dora") && roles.contains(AdapterRole(LowRank.downName.name))
    }

    /// The weights of a layer in a file. Throws `FileError`.
    public static func read(_ layer: AdapterLayerReader) throws -> AdapterWeights {
        // Of a relative's entrance the norms are of fewer inputs: nothing is placed.
        let (inputs, outputs) = (layer.place.inputs, layer.place.outputs)
        let a = try layer.matrix(AdapterRole(LowRank.downName.name), rows: nil, columns: inputs)
        let b = try layer.matrix(AdapterRole(LowRank.upName.name), rows: outputs, columns: a.shape[0])
        let lora = LowRank(a: a, b: b, alpha: try layer.alpha(rank: a.shape[0]))
        let expected = "a norm over the inputs for each of \(outputs) outputs, [\(outputs)] or [\(outputs), 1]"
        let m = try layer.tensor(magnitude, expected: expected) { shape in
            let extents = shape.dimensions.filter { $0 != 1 }
            let isColumn = shape.rank == 1 || shape[0] == outputs
            // Behind a leading 1 stand the inputs, by ComfyUI's rule, unless their number says otherwise.
            return extents == [outputs].filter { $0 != 1 } && (isColumn || inputs != outputs)
        }
        return weights(lora, m.reshaped(to: [outputs]))
    }

    /// The weights of the model's layers that a file keeps as one.
    public static func split(
        _ weights: AdapterWeights, at place: AdapterPlace, reader: AdapterLayerReader
    ) -> [AdaptedLayer] {
        guard let method = weights.method as? DoRAMethod else { preconditionFailure("\(weights.method) is no DoRA") }
        var m = weights.tensors[magnitudeName.name]!
        if place.swapsHalves { m = m.withHalvesExchanged() }
        var start = 0
        // A part whose update is zero still has magnitudes.
        let loras = LowRank(weights.tensors, alpha: method.alpha).split(place, keepsAll: true)
        return zip(place.parts, loras).map { part, lora in
            let own = m.sliced(axis: 0, start..<start + part.outputs).contiguous()
            start += part.outputs
            return AdaptedLayer(name: part.name, weights: Self.weights(lora.lora, own))
        }
    }

    /// The weights of a layer among a run's parameters. Throws `FileError`.
    public func restored(_ layer: String, from parameters: any TensorArchive) throws -> AdapterWeights {
        let lora = try LowRank(restoring: layer, from: parameters, rows: rank, "rank \(rank)", alpha: alpha)
        let key = "\(layer).\(Self.magnitudeName.name)"
        let m = try parameters.tensor(key)
        guard m.shape == [lora.b.shape[0]] else {
            throw FileError(parameters.path, key: key, expected: "[\(lora.b.shape[0])]", found: "\(m.shape)")
        }
        return Self.weights(lora, m)
    }

    // MARK: Writing

    /// What a file of the format holds.
    public func encoded(_ tensors: [String: Tensor], as format: AdapterFormat) -> EncodedAdapter {
        var encoded = LowRank(tensors, alpha: alpha).encoded(as: format)
        let m = tensors[Self.magnitudeName.name]!
        encoded.tensors.append((Self.magnitude, format.hasAlphas ? m.unsqueezed(-1) : m))
        return encoded
    }

    /// One adapter for the layers of an mapping.
    public static func joined(
        _ parts: [String: AdapterWeights], mapping: AdapterNaming.LayerMapping, folds: Bool
    ) throws -> AdapterWeights {
        if let missing = mapping.parts.first(where: { parts[$0.name] == nil })?.name {
            throw AdapterError.unjoinable(
                "'\(mapping.source)' joins layers with a DoRA and '\(missing)', which has none and whose norms only the "
                    + "base knows: 'peft', 'lycoris' and 'diptych' keep them apart")
        }
        let loras = parts.mapValues { part -> LowRank in
            guard let method = part.method as? DoRAMethod else { preconditionFailure("\(part.method) is no DoRA") }
            return LowRank(part.tensors, alpha: method.alpha)
        }
        let own = mapping.parts.map { parts[$0.name]!.tensors[magnitudeName.name]! }
        let m = own.count == 1 ? own[0] : Tensor.concatenated(own, axis: 0)
        return weights(
            LowRank(joining: loras, mapping: mapping, folds: folds),
            mapping.swapsHalves ? m.withHalvesExchanged() : m)
    }

    // MARK: Merging, beginning, inspecting

    /// `(c - 1) W + c s B A` with `c = m / ||W + s B A||`.
    public func update(_ tensors: [String: Tensor], rows: Range<Int>, of weight: Tensor) -> WeightUpdate {
        let (up, down) = LowRank(tensors, alpha: alpha).product(rows)
        let whole = Tensor.sumOfProducts(
            [ProductTerm(up.contiguous(), down)], addend: weight.contiguous(), dtype: .float32)
        let norms = (whole.applying(.square).sum(axes: [1], keepingAxes: true) + Linear.tiny).applying(.squareRoot)
        let m = tensors[Self.magnitudeName.name]!.sliced(axis: 0, rows).contiguous().unsqueezed(-1)
        let scale = m / norms
        return WeightUpdate(
            products: [(up.contiguous() * scale, down)], addend: weight.contiguous() * scale.affine(shift: -1))
    }

    /// By what the hyperparameters differ from those of a start.
    public func differences(from start: DoRAMethod) -> [AdapterDifference] {
        [
            AdapterDifference("rank", start.rank, rank),
            AdapterDifference("alpha", start.alpha, alpha, isScale: true),
        ].compactMap(\.self)
    }

    /// The tensors of a start, scaled to the same outputs.
    public func tensors(_ tensors: [String: Tensor], of start: DoRAMethod) -> [String: Tensor] {
        tensors.merging(LowRank(tensors, alpha: start.alpha).scaled(to: alpha).tensors) { $1 }
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

/// A ``DoRAMethod`` beside a layer.
///
/// At another strength than 1 what it adds to the output is scaled, as ComfyUI does.
public final class DoRA: AdapterModule {
    /// The down projection, `[r, in]`.
    public let a: Parameter
    /// The up projection, `[out, r]`.
    public let b: Parameter
    /// The norms of the adapted weight's rows, `[out]`.
    public let magnitude: Parameter
    /// The update is scaled by `alpha / rank`.
    public let alpha: Float
    private let context: AdapterContext
    /// The squared norms of the frozen weight's rows, once they are known.
    private var squaredNorms: Tensor?

    /// The rank r.
    public var rank: Int { a.shape[0] }

    /// The method with this rank and alpha.
    public var method: any AdapterMethod { DoRAMethod(rank: rank, alpha: alpha) }

    /// The down projection, the up projection, the magnitudes.
    public var parameters: [(name: String, parameter: Parameter)] {
        [(LowRank.downName.name, a), (LowRank.upName.name, b), (DoRAMethod.magnitudeName.name, magnitude)]
    }

    init(_ lora: LowRank, magnitude: Tensor, context: AdapterContext) {
        precondition(magnitude.shape == [lora.b.shape[0]], "magnitudes \(magnitude.shape) for \(lora.b.shape)")
        a = Parameter(lora.a, isTrained: true)
        b = Parameter(lora.b, isTrained: true)
        self.magnitude = Parameter(magnitude, isTrained: true)
        alpha = lora.alpha
        self.context = context
    }

    /// With `c = m / ||W + s B A||` and the set's strength `t`: the layer's own product scaled by `1 + t (c - 1)`, and the
    /// low-rank product with `t c s B` for its up projection; nothing at strength 0.
    public func contribution(to layer: Linear, of parts: [Variable]) -> LinearContribution {
        let strength = context.strength
        if strength == 0 { return LinearContribution() }
        let dtype = parts[0].dtype
        let down = Variable.linear(joining: parts, weight: a.variable.converted(to: dtype), dtype: dtype)
        let scale = magnitude.variable / Variable(norms(layer))
        let up = b.variable * (scale * (alpha / Float(rank) * strength)).unsqueezed(-1)
        return LinearContribution(
            terms: [(down, up.converted(to: dtype))],
            outputScale: strength == 1 ? scale : scale.affine(scale: strength, shift: 1 - strength))
    }

    /// `||W + s B A||` of each row, `[out]`, without making the sum:
    /// `||W_o||^2 + 2 s B_o . (A W^T)_o + s^2 B_o A A^T B_o^T`. A constant: gradients do not go through it.
    private func norms(_ layer: Linear) -> Tensor {
        let (a, b, scale) = (self.a.value, self.b.value, alpha / Float(rank))
        if layer.weight.isTrained || squaredNorms == nil { squaredNorms = layer.squaredRowNorms }
        let projected = withoutGradients {
            Variable.linear([(Variable(a), layer.weight.weight)], dtype: .float32).value
        }
        let cross = (b * projected.transposed().contiguous()).sum(axes: [1])
        let square = (b.matrixProduct(a.matrixProduct(a, transposingOther: true)) * b).sum(axes: [1])
        let sum = squaredNorms! + cross * (2 * scale) + square * (scale * scale)
        // Rounding must not lead below zero, nor a row of zeros to a division by zero.
        return (sum.applying(.absolute) + Linear.tiny).applying(.squareRoot)
    }
}

extension Linear {
    /// A squared norm that no row of a trained model is near.
    fileprivate static let tiny: Float = 1e-37

    /// The squared norm of each row of the weight, `[outputDimensions]`, `float32`; the weight is read once, in pieces.
    fileprivate var squaredRowNorms: Tensor {
        let stored = weight.stored
        let step = max(1, (1 << 22) / max(1, inputDimensions))
        let pieces = stride(from: 0, to: outputDimensions, by: step).map { start -> Tensor in
            let rows = stored.rows(start..<min(outputDimensions, start + step))
            return rows.expanded(to: .float32).converted(to: .float32).applying(.square).sum(axes: [1])
        }
        return pieces.count == 1 ? pieces[0] : Tensor.concatenated(pieces, axis: 0)
    }
}
