import Autograd
public import NeuralNet
public import TensorCore
public import TensorIO

/// The text encoder of CLIP; FLUX takes the vector of the whole prompt from it.
///
/// ```swift
/// let encoder = try CLIPTextEncoder.load(folder: "FLUX.1-Fill-dev/text_encoder")
/// let pooled = encoder(ids).pooled  // [B, 768]
/// ```
///
/// Radford et al. 2021, "Learning transferable visual models from natural language supervision"; modules bear the names
/// of transformers' `CLIPTextModel` (`transformers/models/clip/modeling_clip.py`). Weights stay in their file's type.
public final class CLIPTextEncoder: Module {
    /// The proportions.
    public let configuration: CLIPTextConfiguration
    private let tokenEmbedding: Embedding
    private let positionEmbedding: Embedding
    private let layers: [CLIPTextLayer]
    private let finalNorm: LayerNorm

    private static let prefix = "text_model"
    private static let tokenEmbeddingName = "embeddings.token_embedding"

    /// Takes the weights by transformers' keys, with or without `text_model.` before them; the caller ends with
    /// `loader.finish()`. The numbers of the positions, which older files hold, and the projection into the space that
    /// text and images share are passed over.
    public init(_ configuration: CLIPTextConfiguration, _ loader: WeightLoader) {
        let isBare = loader.contains("\(Self.tokenEmbeddingName).weight")
        let parts = isBare ? loader : loader.scoped(Self.prefix)
        let width = configuration.hiddenSize
        self.configuration = configuration
        tokenEmbedding = Embedding(parts.scoped(Self.tokenEmbeddingName), configuration.vocabSize, width)
        positionEmbedding = Embedding(
            parts.scoped("embeddings.position_embedding"), configuration.maxPositionEmbeddings, width)
        layers = (0..<configuration.numHiddenLayers).map {
            CLIPTextLayer(configuration, parts.scoped("encoder.layers", $0))
        }
        finalNorm = LayerNorm(parts.scoped("final_layer_norm"), width, epsilon: configuration.layerNormEps)
        parts.ignore("embeddings.position_ids")
        loader.ignore("text_projection.weight")
    }

    /// Loads a `text_encoder` folder of a diffusers pipeline: `config.json` and its safetensors.
    ///
    /// Throws as ``load(_:configuration:)`` does, and `FileError` for a faulty `config.json`.
    public static func load(folder: String) throws -> CLIPTextEncoder {
        let configuration = try CLIPTextConfiguration(path: folder + "/config.json")
        return try load(try openTensorArchive(folder), configuration: configuration)
    }

    /// Takes the weights from an archive with transformers' keys.
    ///
    /// Throws `WeightError` with all keys that are missing, unexpected or of the wrong shape, and `FileError` for a
    /// weight that is no floating-point number.
    public static func load(
        _ archive: any TensorArchive, configuration: CLIPTextConfiguration
    ) throws -> CLIPTextEncoder {
        try loadWeights(archive) { CLIPTextEncoder(configuration, $0) }
    }

    /// The parts, named as in the published files, with `text_model.`.
    public var children: [(name: String, module: any Module)] {
        [
            ("\(Self.prefix).\(Self.tokenEmbeddingName)", tokenEmbedding),
            ("\(Self.prefix).embeddings.position_embedding", positionEmbedding),
        ] + layers.enumerated().map { ("\(Self.prefix).encoder.layers.\($0.offset)", $0.element) }
            + [("\(Self.prefix).final_layer_norm", finalNorm)]
    }

    /// The hidden states `[B, T, d]` of token ids `[B, T]`, `int32`, and the one of each prompt's end token `[B, d]`.
    ///
    /// T is at most ``CLIPTextConfiguration/maxPositionEmbeddings``. The end token is the first of
    /// ``CLIPTextConfiguration/eosTokenID``; a prompt without one is represented by its first token.
    ///
    /// `computeType` is `float32` or `bfloat16` and concerns what enters and leaves the layers; the sum over the layers,
    /// the norms and the results are `float32`.
    public func callAsFunction(_ ids: Tensor, computeType: DType = .float32) -> (hidden: Tensor, pooled: Tensor) {
        precondition(ids.rank == 2 && ids.dtype == .int32, "token ids \(ids.dtype) \(ids.shape), not int32 [B, T]")
        let (batch, length) = (ids.shape[0], ids.shape[1])
        precondition(
            length <= configuration.maxPositionEmbeddings,
            "\(length) tokens for \(configuration.maxPositionEmbeddings) positions")
        precondition(computeType == .float32 || computeType == .bfloat16, "CLIP in \(computeType)")
        return withoutGradients {
            let places = Tensor((0..<Int32(length)).map { $0 }, [length])
            let tokens = tokenEmbedding(ids).converted(to: .float32)
            let start = tokens + positionEmbedding(places).converted(to: .float32)
            let hidden = finalNorm(layers.reduce(start) { $1($0, computeType: computeType) }).value
            let rows = hidden.reshaped(to: [batch * length, configuration.hiddenSize])
            return (hidden, rows.gatheringRows(endPlaces(ids)))
        }
    }

    /// Where each prompt ends, counted through the whole batch: `[B]`, `int32`.
    ///
    /// Older files say 2 for the id of the end token, which is wrong; the end token has the
    /// largest id of all there.
    private func endPlaces(_ ids: Tensor) -> Tensor {
        let (batch, length) = (ids.shape[0], ids.shape[1])
        let all = ids.elements(as: Int32.self)
        let places = (0..<batch).map { prompt -> Int32 in
            let tokens = all[prompt * length..<(prompt + 1) * length]
            let end = configuration.eosTokenID == 2 ? tokens.max() : Int32(configuration.eosTokenID)
            return Int32(tokens.firstIndex { $0 == end } ?? tokens.startIndex)
        }
        return Tensor(places, [batch])
    }
}
