public import Autograd
public import NeuralNet
public import TensorCore
public import TensorIO

/// Low-rank Kronecker products (Yeh et al. 2023, arXiv 2309.14859, LyCORIS' `lokr.py`): `W' = W + s kron(w1, w2)`.
///
/// With `out = l k` and `in = m n`: w1 is `[l, m]`, w2 `[k, n]`; the larger, w2, is a product `w2_a w2_b` of rank r where r is
/// less than half of its larger extent, w1 only where `decomposesBoth` asks for it. The scale s is `alpha / rank`, and 1 where
/// neither is a product. Kronecker's product is never made while the model runs.
public struct LoKrMethod: AdapterMethod {
    /// The rank r of matrices that are products.
    public var rank: Int
    /// The update is scaled by `alpha / rank` where a matrix is a product.
    public var alpha: Float
    /// About how many rows and columns w1 has; -1 cuts both extents of the layer as near to their square roots as can be.
    public var factor: Int
    /// Whether w1 is a product too.
    public var decomposesBoth: Bool
    /// Whether w2 is one matrix whatever the rank.
    public var fullMatrix: Bool
    /// Which rows of Kronecker's product the layer has, where a file kept the layer as a part of another; nil for all.
    var rows: Range<Int>?

    /// Collects the hyperparameters.
    public init(
        rank: Int = 32, alpha: Float = 32, factor: Int = -1, decomposesBoth: Bool = false, fullMatrix: Bool = false
    ) {
        (self.rank, self.alpha, self.factor) = (rank, alpha, factor)
        (self.decomposesBoth, self.fullMatrix) = (decomposesBoth, fullMatrix)
    }

    /// The section of configurations: `lokr`.
    public static let name = "lokr"
    /// The word in lists.
    public static let noun = "LoKr"
    /// The words in errors.
    public static let title = "a LoKr"
    /// Its tensors in the order in which they are trained.
    public static let tensorNames = (KroneckerFactor.first.names + KroneckerFactor.second.names).map {
        AdapterTensorName($0)
    }
    /// The formats that hold it.
    public static let formats = [AdapterFormat.lycoris, .diptych]

    /// The hyperparameters in a few words.
    public var summary: String {
        fullMatrix ? "full matrices, factor \(factor)" : "rank \(rank), alpha \(alpha), factor \(factor)"
    }

    /// What is wrong with the hyperparameters.
    public var faults: [(key: String, message: String)] {
        LowRank.faults(rank: rank, alpha: alpha)
            + (factor == -1 || factor >= 1 ? [] : [("factor", "expected -1 or at least 1, found \(factor)")])
    }

    /// The two factors of an extent, the smaller first: `factor` and the rest where it divides the extent, else the pair of
    /// divisors nearest to each other of which the smaller is at most `factor` (LyCORIS' `factorization`).
    public static func factorization(_ extent: Int, factor: Int) -> (Int, Int) {
        if factor > 0, extent % factor == 0 { return (min(factor, extent / factor), max(factor, extent / factor)) }
        let most = factor < 0 ? extent : factor
        let smaller = (1...max(1, extent)).prefix { $0 * $0 <= extent && $0 <= most }.last { extent % $0 == 0 } ?? 1
        return (smaller, extent / smaller)
    }

    // MARK: Making

    /// Uniform numbers as LyCORIS draws them, within `1 / sqrt(columns)`; the last factor zero.
    public func freshTensors(for layer: Linear, pooledWidth: Int?, random: inout Random) -> [String: Tensor] {
        let (l, k) = Self.factorization(layer.outputDimensions, factor: factor)
        let (m, n) = Self.factorization(layer.inputDimensions, factor: factor)
        func uniform(_ rows: Int, _ columns: Int) -> Tensor {
            random.rand([rows, columns]).affine(scale: 2, shift: -1) * (1 / Float(columns).squareRoot())
        }
        func isProduct(_ rows: Int, _ columns: Int) -> Bool { !fullMatrix && 2 * rank < max(rows, columns) }
        var tensors: [String: Tensor] = [:]
        let (first, second) = (KroneckerFactor.first, KroneckerFactor.second)
        if isProduct(k, n) {
            tensors[second.left] = uniform(k, rank)
            tensors[second.right] = Tensor(zeros: [rank, n])
        } else {
            tensors[second.whole] = Tensor(zeros: [k, n])
        }
        if decomposesBoth, isProduct(l, m) {
            tensors[first.left] = uniform(l, rank)
            tensors[first.right] = uniform(rank, m)
        } else {
            tensors[first.whole] = uniform(l, m)
        }
        return tensors
    }

    /// The adapter with these tensors.
    public func makeAdapter(_ tensors: [String: Tensor], layer: String, context: AdapterContext) -> any AdapterModule {
        LoKr(self, tensors, context: context)
    }

    /// `alpha / rank`, or 1 where neither matrix is a product.
    func scale(_ tensors: some Collection<String>) -> Float {
        tensors.contains { $0 == KroneckerFactor.first.left || $0 == KroneckerFactor.second.left }
            ? alpha / Float(rank) : 1
    }

    // MARK: Reading

    /// Whether a layer with these tensors has such an adapter.
    public static func claims(_ roles: Set<AdapterRole>, peftFlags: Set<String>) -> Bool {
        roles.contains { $0.name.hasPrefix("lokr_") }
    }

    /// The weights of a layer in a file. Throws `FileError`.
    public static func read(_ layer: AdapterLayerReader) throws -> AdapterWeights {
        var tensors: [String: Tensor] = [:]
        var ranks: [Int] = []
        /// The extents of a matrix that is whole or a product.
        func matrix(_ factor: KroneckerFactor) throws -> (rows: Int, columns: Int) {
            func any(_ name: String) throws -> Tensor {
                let found = try layer.tensor(AdapterRole(name), expected: "a matrix") { $0.rank == 2 && $0.count > 0 }
                tensors[name] = found
                return found
            }
            if layer.keys[AdapterRole(factor.left)] == nil, layer.keys[AdapterRole(factor.right)] == nil {
                let whole = try any(factor.whole)
                return (whole.shape[0], whole.shape[1])
            }
            if let key = layer.keys[AdapterRole(factor.whole)] {
                throw FileError(layer.path, key: key, expected: "a matrix or a product of two", found: "both")
            }
            let (left, right) = (try any(factor.left), try any(factor.right))
            guard left.shape[1] == right.shape[0] else {
                throw FileError(
                    layer.path, key: layer.key(AdapterRole(factor.right)), expected: "\(left.shape[1]) rows",
                    found: "\(right.shape)")
            }
            ranks.append(left.shape[1])
            return (left.shape[0], right.shape[1])
        }
        let (first, second) = (try matrix(.first), try matrix(.second))
        let (outputs, inputs) = (first.rows * second.rows, first.columns * second.columns)
        guard outputs == layer.place.outputs, inputs == layer.place.inputs else {
            throw FileError(
                layer.path, key: layer.keys.values.sorted()[0],
                expected: "a Kronecker product of shape [\(layer.place.outputs), \(layer.place.inputs)]",
                found: "[\(outputs), \(inputs)]")
        }
        var method = LoKrMethod(
            rank: ranks.last ?? 1, factor: max(first.rows, first.columns), fullMatrix: ranks.isEmpty)
        method.decomposesBoth = ranks.count == 2
        method.alpha = try layer.alpha(rank: method.rank)
        return AdapterWeights(method, tensors)
    }

    /// Rows of Kronecker's product are those of w2 for each row of w1: a part takes the rows of w1 that it meets, and of their
    /// product the rows that are its own.
    public static func split(
        _ weights: AdapterWeights, at place: AdapterPlace, reader: AdapterLayerReader
    ) throws -> [AdaptedLayer] {
        guard let method = weights.method as? LoKrMethod else { preconditionFailure("\(weights.method) is no LoKr") }
        let name =
            weights.tensors[KroneckerFactor.first.whole] == nil
            ? KroneckerFactor.first.left : KroneckerFactor.first.whole
        var w1 = weights.tensors[name]!
        let height = place.outputs / w1.shape[0]
        if place.swapsHalves {
            guard w1.shape[0] % 2 == 0 else {
                throw FileError(
                    reader.path, key: reader.keys.values.sorted()[0],
                    expected:
                        "a LoKr whose first matrix has an even number of rows, since the model has the halves of the "
                        + "layer's outputs in the other order", found: "\(w1.shape)")
            }
            w1 = w1.withHalvesExchanged()
        }
        var start = 0
        return place.parts.map { part in
            let (low, high) = (start / height, (start + part.outputs + height - 1) / height)
            var own = weights
            own.tensors[name] = w1.sliced(axis: 0, low..<high).contiguous()
            var partMethod = method
            let offset = start - low * height
            if (high - low) * height != part.outputs { partMethod.rows = offset..<offset + part.outputs }
            own.method = partMethod
            start += part.outputs
            return AdaptedLayer(name: part.name, weights: own)
        }
    }

    /// The weights of a layer among a run's parameters. Throws `FileError`.
    public func restored(_ layer: String, from parameters: any TensorArchive) throws -> AdapterWeights {
        var tensors: [String: Tensor] = [:]
        for factor in [KroneckerFactor.first, .second] {
            let isWhole = parameters.info("\(layer).\(factor.whole)") != nil
            for name in isWhole ? [factor.whole] : [factor.left, factor.right] {
                let key = "\(layer).\(name)"
                let tensor = try parameters.tensor(key)
                let found = name == factor.left ? tensor.shape.dimensions.last : tensor.shape.dimensions.first
                guard tensor.rank == 2, isWhole || found == rank else {
                    throw FileError(
                        parameters.path, key: key, expected: isWhole ? "a matrix" : "a matrix of rank \(rank)",
                        found: "\(tensor.shape)")
                }
                tensors[name] = tensor
            }
        }
        return AdapterWeights(self, tensors)
    }

    // MARK: Writing

    /// Why a format that holds the method cannot hold these weights.
    public func refusal(of format: AdapterFormat, layer: String) -> String? {
        guard rows != nil else { return nil }
        return
            "the LoKr of '\(layer)' was read as a part of a fused layer's, between whose blocks it begins or ends: it can be "
            + "used and merged, not written"
    }

    /// What a file of the format holds.
    public func encoded(_ tensors: [String: Tensor], as format: AdapterFormat) -> EncodedAdapter {
        let names = Self.tensorNames.map(\.name).filter { tensors[$0] != nil }
        return EncodedAdapter(names.map { (AdapterRole($0), tensors[$0]!) } + [(.alpha, Tensor(alpha))])
    }

    // MARK: Merging, beginning, inspecting

    /// Some rows of `s kron(w1, w2)`.
    public func update(_ tensors: [String: Tensor], rows: Range<Int>, of weight: Tensor) -> WeightUpdate {
        let w1 = KroneckerFactor.first.matrix(tensors) * scale(tensors.keys)
        let w2 = KroneckerFactor.second.matrix(tensors)
        let (k, n) = (w2.shape[0], w2.shape[1])
        let first = self.rows?.lowerBound ?? 0
        let wanted = rows.lowerBound + first..<rows.upperBound + first
        let blocks = (wanted.lowerBound / k...(wanted.upperBound - 1) / k).map { block -> Tensor in
            let own = wanted.clamped(to: block * k..<(block + 1) * k)
            let lines = w2.sliced(axis: 0, own.lowerBound - block * k..<own.upperBound - block * k).contiguous()
            let row = w1.sliced(axis: 0, block..<block + 1).contiguous()
            return (row.unsqueezed(-1) * lines.unsqueezed(1)).reshaped(to: [own.count, w1.shape[1] * n])
        }
        return WeightUpdate(addend: blocks.count == 1 ? blocks[0] : Tensor.concatenated(blocks, axis: 0))
    }

    /// By what the hyperparameters differ from those of a start.
    public func differences(from start: LoKrMethod) -> [AdapterDifference] {
        let isScaled = !(fullMatrix && start.fullMatrix)
        return [
            AdapterDifference("full_matrix", start.fullMatrix, fullMatrix),
            isScaled ? AdapterDifference("rank", start.rank, rank) : nil,
            isScaled ? AdapterDifference("alpha", start.alpha, alpha, isScale: true) : nil,
        ].compactMap(\.self)
    }

    /// The tensors of a start, scaled to the same outputs.
    public func tensors(_ tensors: [String: Tensor], of start: LoKrMethod) -> [String: Tensor] {
        let ratio = start.scale(tensors.keys) / scale(tensors.keys)
        let name =
            tensors[KroneckerFactor.first.whole] == nil ? KroneckerFactor.first.left : KroneckerFactor.first.whole
        guard ratio != 1, let w1 = tensors[name] else { return tensors }
        return tensors.merging([name: w1 * ratio]) { $1 }
    }

    /// How many inputs the layer has, from its tensors' shapes.
    public static func inputs(_ shapes: [AdapterRole: Shape]) -> Int? {
        let columns = [KroneckerFactor.first, .second].compactMap { factor in
            (shapes[AdapterRole(factor.whole)] ?? shapes[AdapterRole(factor.right)])?.dimensions.dropFirst().first
        }
        guard columns.count == 2 else { return nil }
        let (product, overflow) = columns[0].multipliedReportingOverflow(by: columns[1])
        return overflow ? nil : product
    }

    /// Layers of a file in a phrase.
    public static func phrase(_ layers: [[AdapterRole: Shape]]) -> String {
        let ranks = layers.compactMap { shapes in
            (shapes[AdapterRole(KroneckerFactor.second.right)] ?? shapes[AdapterRole(KroneckerFactor.first.right)])?
                .dimensions.first
        }
        return "\(layers.count) \(noun)s" + (ranks.isEmpty ? " of full matrices" : " of rank \(countedList(ranks))")
    }
}

/// One of the two matrices of a Kronecker product, whole or a product of two.
struct KroneckerFactor {
    /// The name of the whole matrix.
    let whole: String
    /// The names of the two whose product it is otherwise.
    var left: String { whole + "_a" }
    var right: String { whole + "_b" }
    var names: [String] { [whole, left, right] }

    static let first = KroneckerFactor(whole: "lokr_w1")
    static let second = KroneckerFactor(whole: "lokr_w2")

    /// The matrix.
    func matrix(_ tensors: [String: Tensor]) -> Tensor {
        tensors[whole] ?? tensors[left]!.matrixProduct(tensors[right]!)
    }
}

/// A ``LoKrMethod`` beside a layer.
public final class LoKr: AdapterModule {
    /// The method with this adapter's rank and alpha.
    public var method: any AdapterMethod { lokr }
    /// The matrices, w1 before w2.
    public let parameters: [(name: String, parameter: Parameter)]
    private let lokr: LoKrMethod
    private let context: AdapterContext

    init(_ method: LoKrMethod, _ tensors: [String: Tensor], context: AdapterContext) {
        lokr = method
        parameters = LoKrMethod.tensorNames.compactMap { name in
            tensors[name.name].map { (name.name, Parameter($0, isTrained: true)) }
        }
        self.context = context
    }

    private func variable(_ name: String) -> Variable? { parameters.first { $0.name == name }?.parameter.variable }

    /// `x kron(w1, w2)^T`, as two products: with `x` as `[m, n]` for each token, `w1 (x w2^T)`, `[l, k]`; nothing at strength 0.
    public func contribution(to layer: Linear, of parts: [Variable]) -> LinearContribution {
        if context.strength == 0 { return LinearContribution() }
        let x = parts.count == 1 ? parts[0] : Variable.concatenated(parts, axis: -1)
        let dtype = x.dtype
        let lead = Array(x.shape.dimensions.dropLast())
        let tokens = lead.reduce(1, *)
        let scale = lokr.scale(parameters.map(\.name)) * context.strength
        let first = w1 * scale
        let (l, m) = (first.shape[0], first.shape[1])
        let n = x.shape[-1] / m
        let rows = projected(x.reshaped(to: [tokens * m, n]), dtype)
        let k = rows.shape[1]
        let turned = rows.reshaped(to: [tokens, m, k]).transposed().reshaped(to: [tokens * k, m])
        let y = turned.linear(weight: first.converted(to: dtype)).reshaped(to: [tokens, k, l]).transposed()
            .reshaped(to: lead + [l * k])
        return LinearContribution(addend: lokr.rows.map { y.sliced(axis: -1, $0) } ?? y)
    }

    /// `[l, m]`.
    private var w1: Variable {
        if let whole = variable(KroneckerFactor.first.whole) { return whole }
        return variable(KroneckerFactor.first.left)!.matrixProduct(variable(KroneckerFactor.first.right)!)
    }

    /// `x w2^T`.
    private func projected(_ x: Variable, _ dtype: DType) -> Variable {
        if let whole = variable(KroneckerFactor.second.whole) { return x.linear(weight: whole.converted(to: dtype)) }
        let (left, right) = (variable(KroneckerFactor.second.left)!, variable(KroneckerFactor.second.right)!)
        return x.linear(weight: right.converted(to: dtype)).linear(weight: left.converted(to: dtype))
    }
}
