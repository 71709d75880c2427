public import NeuralNet
public import TensorCore
public import TensorIO

/// A way to adapt linear layers, with its hyperparameters: it makes a layer's adapter, fresh or from a file's tensors, names
/// its tensors in every family of files, and says what it needs and which files can hold it.
///
/// A method is one file: a conforming value with the adapter that it makes, listed in ``AdapterMethods/all``. Readers and
/// writers of files, merging, training and inspection ask the method and never which one it is.
///
/// Tensors are known by the names that they have among a run's parameters (``AdapterTensorName/name``) and are `float32`.
public protocol AdapterMethod: Codable, Equatable, Sendable {
    /// The word for it in a run's configuration: `adapter.{name}` is its section.
    static var name: String { get }
    /// An adapter of the method in a word: `LoRA`.
    static var noun: String { get }
    /// An adapter of the method in a sentence: `a plain LoRA`.
    static var title: String { get }
    /// Its tensors, in the order in which they are trained and written.
    static var tensorNames: [AdapterTensorName] { get }
    /// The formats that can hold such adapters.
    static var formats: [AdapterFormat] { get }
    /// What to do where a format cannot, behind the names of those that can: `, and diptych flatten-moe makes ...`.
    static var advice: String { get }
    /// What merging into a weight expects instead of such an adapter; nil where it can be merged.
    static var mergeRefusal: String? { get }
    /// The flag of PEFT's configuration that asks for the method: `use_dora`.
    static var peftFlag: String? { get }

    /// The hyperparameters in a few words: `rank 32, alpha 32.0`.
    var summary: String { get }
    /// Everything that is wrong with the hyperparameters, each with its key in the section; empty when they can be used.
    var faults: [(key: String, message: String)] { get }
    /// Whether its adapters see the pooled text (``ForwardContext``).
    var needsPooledText: Bool { get }

    // MARK: Making

    /// Fresh weights for a layer, by name, that change nothing. `pooledWidth` is that of the model's pooled text.
    func freshTensors(for layer: Linear, pooledWidth: Int?, random: inout Random) -> [String: Tensor]

    /// The adapter with these tensors, to stand beside the layer called `layer`; shapes have been checked.
    func makeAdapter(_ tensors: [String: Tensor], layer: String, context: AdapterContext) -> any AdapterModule

    // MARK: Reading

    /// Whether a layer with these tensors has an adapter of the method; methods are asked from the last of
    /// ``AdapterMethods/all`` to the first. `peftFlags` are those that PEFT's configuration sets.
    static func claims(_ roles: Set<AdapterRole>, peftFlags: Set<String>) -> Bool

    /// The weights that a file has for a layer as the file keeps it. Throws `FileError` when they are not complete, have other
    /// shapes or contradict the file's header.
    static func read(_ layer: AdapterLayerReader) throws -> AdapterWeights

    /// Checks the header against the layers that the file has. Throws `FileError`.
    static func check(_ header: AdapterHeader, layers: [AdapterLayerReader]) throws

    /// The weights of each of the model's layers that a file keeps as one at `place`. Throws `FileError` when they cannot
    /// be taken apart.
    static func split(_ weights: AdapterWeights, at place: AdapterPlace, reader: AdapterLayerReader) throws
        -> [AdaptedLayer]

    /// The weights of a layer among a run's parameters, of which the method is this one. Throws `FileError` when they are not
    /// complete or do not fit the hyperparameters.
    func restored(_ layer: String, from parameters: any TensorArchive) throws -> AdapterWeights

    // MARK: Writing

    /// Why `format`, which is one of ``formats``, cannot hold the adapter of `layer` all the same; nil where it can.
    func refusal(of format: AdapterFormat, layer: String) -> String?

    /// What a file of `format` holds of these tensors.
    func encoded(_ tensors: [String: Tensor], as format: AdapterFormat) -> EncodedAdapter

    /// One adapter for all layers of an mapping, of which those without one stay as they are. `folds` multiplies scales
    /// into the weights, so that the file needs no alpha. Throws ``AdapterError/unjoinable(_:)``.
    static func joined(
        _ parts: [String: AdapterWeights], mapping: AdapterNaming.LayerMapping, folds: Bool
    ) throws -> AdapterWeights

    /// The header's entries for the layers of the method.
    static func header(_ layers: [AdaptedLayer], in format: AdapterFormat) throws -> [String: String]

    /// What a reader of the format should know of the layers of the method, one sentence each.
    static func notices(_ layers: [AdaptedLayer], in format: AdapterFormat) -> [String]

    // MARK: Merging

    /// What is added at strength 1 to some rows of the layer's weight, which are `weight`, `[rows, in]`, `float32`.
    func update(_ tensors: [String: Tensor], rows: Range<Int>, of weight: Tensor) -> WeightUpdate

    // MARK: Beginning

    /// By what these hyperparameters differ from those of `start`, whose weights are to take the place of fresh ones.
    func differences(from start: Self) -> [AdapterDifference]

    /// What of `start` decides its outputs besides its weights and may differ here, in words of the configuration; nil where
    /// nothing does.
    func otherBehaviour(of start: Self) -> String?

    /// The tensors of `start`, scaled so that with these hyperparameters the outputs are the same.
    func tensors(_ tensors: [String: Tensor], of start: Self) -> [String: Tensor]

    // MARK: Inspecting

    /// How many inputs the layer has whose tensors have these shapes; nil where they do not say.
    static func inputs(_ shapes: [AdapterRole: Shape]) -> Int?

    /// The rank by which PEFT's configuration scales the adapter; nil for methods that it does not speak of.
    static func rank(_ shapes: [AdapterRole: Shape]) -> Int?

    /// Layers of a file in a phrase: `31 LoRAs of rank 8`.
    static func phrase(_ layers: [[AdapterRole: Shape]]) -> String
}

extension AdapterMethod {
    /// Nothing more.
    public static var advice: String { "" }
    /// It can.
    public static var mergeRefusal: String? { nil }
    /// None.
    public static var peftFlag: String? { nil }
    /// No.
    public var needsPooledText: Bool { false }

    /// Nothing to check.
    public static func check(_ header: AdapterHeader, layers: [AdapterLayerReader]) throws {}
    /// Nothing stands in the way.
    public func refusal(of format: AdapterFormat, layer: String) -> String? { nil }
    /// None.
    public static func header(_ layers: [AdaptedLayer], in format: AdapterFormat) throws -> [String: String] { [:] }
    /// None.
    public static func notices(_ layers: [AdaptedLayer], in format: AdapterFormat) -> [String] { [] }
    /// Nothing does.
    public func otherBehaviour(of start: Self) -> String? { nil }
    /// None.
    public static func rank(_ shapes: [AdapterRole: Shape]) -> Int? { nil }

    /// It cannot be joined: for methods that no format with fused layers holds.
    public static func joined(
        _ parts: [String: AdapterWeights], mapping: AdapterNaming.LayerMapping, folds: Bool
    ) throws -> AdapterWeights {
        throw AdapterError.unjoinable("'\(mapping.source)' joins layers with \(title) each, which cannot be joined")
    }

    /// Whether both are the same method with the same hyperparameters.
    func isEqual(to other: any AdapterMethod) -> Bool { (other as? Self) == self }
}

/// An adapter in a model: a module with the names of ``AdapterMethod/tensorNames``, and the method that made it.
public protocol AdapterModule: LinearAdapter {
    /// The method with the hyperparameters of this adapter.
    var method: any AdapterMethod { get }
}

/// By what the hyperparameters of an adapter differ from those of another.
public struct AdapterDifference: Sendable {
    /// The key in the method's section: `rank`.
    public var key: String
    /// What the start has.
    public var expected: String
    /// What is to be trained.
    public var found: String
    /// Whether the weights can be scaled to the same outputs.
    public var isScale: Bool

    /// Describes a difference; nil when there is none.
    public init?<Value: Equatable>(_ key: String, _ expected: Value, _ found: Value, isScale: Bool = false) {
        if expected == found { return nil }
        (self.key, self.expected, self.found, self.isScale) = (key, "\(expected)", "\(found)", isScale)
    }
}

/// What an adapter adds to rows of a weight, `[rows, in]`: `sum up down + addend`.
public struct WeightUpdate {
    /// Products `[rows, r]` times `[r, in]`.
    public var products: [(up: Tensor, down: Tensor)]
    /// A matrix that is added too.
    public var addend: Tensor?

    /// Collects the parts.
    public init(products: [(up: Tensor, down: Tensor)] = [], addend: Tensor? = nil) {
        (self.products, self.addend) = (products, addend)
    }
}

/// What a file holds of one layer's adapter.
public struct EncodedAdapter {
    /// The tensors in the order in which they are written.
    public var tensors: [(role: AdapterRole, tensor: Tensor)]
    /// What PEFT's configuration in the header says of the layer; nil for methods that it does not speak of.
    public var peft: (rank: Int, alpha: Float)?

    /// Collects the parts.
    public init(_ tensors: [(role: AdapterRole, tensor: Tensor)], peft: (rank: Int, alpha: Float)? = nil) {
        (self.tensors, self.peft) = (tensors, peft)
    }
}
