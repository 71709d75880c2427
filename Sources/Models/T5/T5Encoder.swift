import Autograd
import Foundation
public import NeuralNet
public import TensorCore
public import TensorIO

/// The encoder of T5 v1.1, which reads FLUX's prompts.
///
/// ```swift
/// let encoder = try T5Encoder.load(folder: "FLUX.1-Fill-dev/text_encoder_2")
/// let text = encoder(ids, computeType: .bfloat16)  // [B, 512, 4096]
/// ```
///
/// Raffel et al. 2020, "Exploring the limits of transfer learning with a unified text-to-text transformer"; modules bear
/// the names of transformers' `T5EncoderModel` (`transformers/models/t5/modeling_t5.py`). Weights stay in their file's
/// type. No token is masked: FLUX was trained with the padding seen as text.
public final class T5Encoder: Module {
    /// The proportions.
    public let configuration: T5Configuration
    private let embedding: Embedding
    private let blocks: [T5Block]
    private let finalNorm: RMSNorm
    /// Reads the blocks' weights ahead of their use.
    public let weightStream: WeightStream
    /// How memory is spent.
    public var memory: MemoryPolicy {
        get { weightStream.memory }
        set { weightStream.memory = newValue }
    }

    private static let embeddingNames = ["shared", "encoder.embed_tokens"]

    /// Takes the weights by transformers' keys; the caller ends with `loader.finish()`.
    ///
    /// The token vectors are `shared.weight` or `encoder.embed_tokens.weight`; where both are there they are one table,
    /// as ``load(_:configuration:)`` makes sure.
    public init(_ configuration: T5Configuration, _ loader: WeightLoader) {
        self.configuration = configuration
        let names = Self.embeddingNames.filter { loader.contains("\($0).weight") }
        embedding = Embedding(
            loader.scoped(names.first ?? Self.embeddingNames[0]), configuration.vocabSize, configuration.dModel)
        for duplicate in names.dropFirst() { loader.ignore("\(duplicate).weight") }
        blocks = (0..<configuration.numLayers).map {
            T5Block(configuration, loader.scoped("encoder.block", $0), isFirst: $0 == 0)
        }
        finalNorm = RMSNorm(
            loader.scoped("encoder.final_layer_norm"), configuration.dModel, epsilon: configuration.layerNormEpsilon)
        weightStream = WeightStream(blocks)
    }

    /// Loads a `text_encoder_2` folder of a diffusers pipeline: `config.json` and one or several safetensors files.
    ///
    /// Throws as ``load(_:configuration:)`` does, and `FileError` for a faulty `config.json`.
    public static func load(folder: String) throws -> T5Encoder {
        let configuration = try T5Configuration(path: folder + "/config.json")
        return try load(try openTensorArchive(folder), configuration: configuration)
    }

    /// Takes the weights from an archive with transformers' keys.
    ///
    /// Throws `WeightError` with all keys that are missing, unexpected or of the wrong shape, and `FileError` for a
    /// weight that is no floating-point number and for two tables of token vectors that differ.
    public static func load(_ archive: any TensorArchive, configuration: T5Configuration) throws -> T5Encoder {
        let model = try loadWeights(archive) { T5Encoder(configuration, $0) }
        let keys = embeddingNames.map { "\($0).weight" }.filter { archive.info($0) != nil }
        if keys.count == 2, try !areIdentical(archive.tensor(keys[0]), archive.tensor(keys[1])) {
            throw FileError(archive.path, key: keys[1], expected: "the same table as \(keys[0])", found: "another one")
        }
        return model
    }

    private static func areIdentical(_ a: Tensor, _ b: Tensor) -> Bool {
        guard a.dtype == b.dtype, a.shape == b.shape else { return false }
        let size = a.dtype.byteCount
        let (first, second) = (a.contiguous(), b.contiguous())
        return memcmp(
            first.storage.base + first.offset * size, second.storage.base + second.offset * size, a.count * size) == 0
    }

    /// The parts, named as transformers names them.
    public var children: [(name: String, module: any Module)] {
        [(Self.embeddingNames[0], embedding)]
            + blocks.enumerated().map { ("encoder.block.\($0.offset)", $0.element) }
            + [("encoder.final_layer_norm", finalNorm)]
    }

    /// The hidden states `[B, T, d]`, of type `computeType`, of token ids `[B, T]`, `int32`.
    ///
    /// `computeType` is `float32` or `bfloat16` and concerns what enters and leaves the layers; the sum over the blocks
    /// and the norms are `float32`. `float16` is refused: the values inside the feed-forward layers leave its range.
    public func callAsFunction(_ ids: Tensor, computeType: DType = .float32) -> Tensor {
        precondition(ids.rank == 2 && ids.dtype == .int32, "token ids \(ids.dtype) \(ids.shape), not int32 [B, T]")
        precondition(computeType == .float32 || computeType == .bfloat16, "T5 in \(computeType)")
        return withoutGradients {
            let bias = blocks[0].attention.positionBias(length: ids.shape[1])!
            let tokens = embedding(ids).converted(to: .float32)
            var hidden = tokens
            for (index, block) in blocks.enumerated() {
                weightStream.enter(index)
                hidden = block(hidden, positionBias: bias, computeType: computeType)
            }
            weightStream.leave()
            return finalNorm(hidden).value.converted(to: computeType)
        }
    }
}
