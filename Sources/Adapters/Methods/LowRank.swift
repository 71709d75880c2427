import NeuralNet
import TensorCore
import TensorIO

/// A low-rank update `alpha / r * B A` of a weight: what LoRA is, and what other methods begin with.
struct LowRank {
    /// The down projection, `[r, in]`.
    let a: Tensor
    /// The up projection, `[out, r]`.
    let b: Tensor
    /// The product is scaled by `alpha / rank`.
    let alpha: Float

    /// A.
    static let downName = AdapterTensorName(
        "lora_A.weight", kohya: "lora_down.weight",
        others: [".lora.down.weight", "_lora.down.weight", ".lora_linear_layer.down.weight"], isPerExpert: true)
    /// B.
    static let upName = AdapterTensorName(
        "lora_B.weight", kohya: "lora_up.weight",
        others: [".lora.up.weight", "_lora.up.weight", ".lora_linear_layer.up.weight"], isPerExpert: true)
    private static let down = AdapterRole(downName.name)
    private static let up = AdapterRole(upName.name)

    init(a: Tensor, b: Tensor, alpha: Float) {
        precondition(a.rank == 2 && b.rank == 2 && a.shape[0] == b.shape[1], "a LoRA of \(a.shape) and \(b.shape)")
        (self.a, self.b, self.alpha) = (a, b, alpha)
    }

    /// The matrices among the tensors of an adapter.
    init(_ tensors: [String: Tensor], alpha: Float) {
        guard let a = tensors[Self.downName.name], let b = tensors[Self.upName.name] else {
            preconditionFailure("no \(Self.downName.name) and \(Self.upName.name) among \(tensors.keys.sorted())")
        }
        self.init(a: a, b: b, alpha: alpha)
    }

    /// A plain LoRA's matrices.
    init(_ weights: AdapterWeights) {
        guard let method = weights.method as? LoRAMethod else {
            preconditionFailure("\(weights.method) is no plain LoRA")
        }
        self.init(weights.tensors, alpha: method.alpha)
    }

    /// Fresh weights that change nothing: A gaussian with deviation `1 / r`, B zero.
    init(fresh layer: Linear, rank: Int, alpha: Float, random: inout Random) {
        self.init(
            a: random.randn([rank, layer.inputDimensions]) * (1 / Float(rank)),
            b: Tensor(zeros: [layer.outputDimensions, rank]), alpha: alpha)
    }

    /// Those of a file. Throws `FileError` when one is missing or of another shape.
    init(_ layer: AdapterLayerReader) throws {
        let a = try layer.incoming(Self.down, rows: nil)
        let b = try layer.matrix(Self.up, rows: layer.place.outputs, columns: a.shape[0])
        self.init(a: a, b: b, alpha: try layer.alpha(rank: a.shape[0]))
    }

    /// Those of a layer among a run's parameters, of `rows` down projections, which `what` says in words. Throws `FileError`.
    init(
        restoring layer: String, from parameters: any TensorArchive, rows: Int, _ what: String, alpha: Float
    ) throws {
        let (keyA, keyB) = ("\(layer).\(Self.downName.name)", "\(layer).\(Self.upName.name)")
        let (a, b) = (try parameters.tensor(keyA), try parameters.tensor(keyB))
        guard a.rank == 2, b.rank == 2, a.shape[0] == b.shape[1] else {
            throw FileError(
                parameters.path, key: keyB, expected: "[out, rank] for \(keyA) \(a.shape)", found: "\(b.shape)")
        }
        guard a.shape[0] == rows else {
            throw FileError(parameters.path, key: keyA, expected: what, found: "\(a.shape[0])")
        }
        self.init(a: a, b: b, alpha: alpha)
    }

    /// The rank r.
    var rank: Int { a.shape[0] }

    /// The factor on the product.
    var scale: Float { alpha / Float(rank) }

    /// The matrices by name.
    var tensors: [String: Tensor] { [Self.downName.name: a, Self.upName.name: b] }

    /// What files of `format` hold.
    func encoded(as format: AdapterFormat) -> EncodedAdapter {
        var tensors = [
            (role: Self.down, tensor: a), (role: Self.up, tensor: format.foldsScales && scale != 1 ? b * scale : b),
        ]
        if format.hasAlphas { tensors.append((.alpha, Tensor(alpha))) }
        return EncodedAdapter(tensors, peft: (rank, format.foldsScales ? Float(rank) : alpha))
    }

    /// The product for some rows of the weight, its scale multiplied into the up projection.
    func product(_ rows: Range<Int>) -> (up: Tensor, down: Tensor) {
        let up = b.sliced(axis: 0, rows)
        return (scale == 1 ? up : up * scale, a)
    }

    /// The same update under another alpha: the up projection scaled.
    func scaled(to alpha: Float) -> LowRank {
        LowRank(a: a, b: alpha == self.alpha ? b : b * (self.alpha / alpha), alpha: alpha)
    }

    /// What is wrong with hyperparameters.
    static func faults(rank: Int, alpha: Float) -> [(key: String, message: String)] {
        var faults: [(key: String, message: String)] = []
        if rank < 1 { faults.append(("rank", "expected at least 1, found \(rank)")) }
        if !(alpha.isFinite && alpha > 0) { faults.append(("alpha", "expected a number above 0, found \(alpha)")) }
        return faults
    }

    /// The inputs of a layer, from the shape of a down projection.
    static func inputs(_ shapes: [AdapterRole: Shape]) -> Int? {
        let shape = shapes.first { $0.key.name == downName.name }?.value
        return shape.flatMap { $0.rank >= 2 ? $0[1] : nil }
    }

    /// The rank of a layer's update.
    static func rank(_ shapes: [AdapterRole: Shape]) -> Int? { shapes[down]?.dimensions.first }
}

/// `32`, or `16 (38), 32 (19)`: values with how often each occurs, where they differ.
func countedList<Value: Hashable & Comparable & CustomStringConvertible>(_ values: [Value]) -> String {
    countedList(Dictionary(grouping: values) { $0 }.mapValues(\.count))
}

/// The same of counts.
func countedList<Value: Hashable & Comparable & CustomStringConvertible>(_ counts: [Value: Int]) -> String {
    let sorted = counts.sorted { $0.key < $1.key }
    if sorted.count == 1 { return sorted[0].key.description }
    let shown = sorted.prefix(8).map { "\($0.key) (\($0.value))" }.joined(separator: ", ")
    return sorted.count > 8 ? "\(shown) and \(sorted.count - 8) more" : shown
}
