import Foundation
public import NeuralNet
public import TensorCore
import TensorIO

/// Both text encoders of FLUX with their tokenizers: words in, the transformer's text inputs out.
public struct TextEncoders {
    /// Words to CLIP's tokens.
    public let clipTokenizer: CLIPTokenizer
    /// CLIP's tokens to one pooled vector.
    public let clip: CLIPTextEncoder
    /// Words to T5's tokens.
    public let t5Tokenizer: T5Tokenizer
    /// T5's tokens to a vector each.
    public let t5: T5Encoder
    /// How memory is spent.
    public var memory: MemoryPolicy {
        get { t5.memory }
        nonmutating set { t5.memory = newValue }
    }

    /// Joins the four parts. Throws ``FileError`` when a tokenizer has tokens that its encoder does not know.
    public init(
        path: String, clipTokenizer: CLIPTokenizer, clip: CLIPTextEncoder, t5Tokenizer: T5Tokenizer, t5: T5Encoder
    ) throws {
        for (part, tokens, known) in [
            ("tokenizer", clipTokenizer.vocabularySize, clip.configuration.vocabSize),
            ("tokenizer_2", t5Tokenizer.vocabularySize, t5.configuration.vocabSize),
        ] where tokens > known {
            throw FileError(
                path, key: part, expected: "at most the \(known) tokens that its encoder knows", found: "\(tokens)")
        }
        let positions = clip.configuration.maxPositionEmbeddings
        guard clipTokenizer.maximumLength <= positions else {
            throw FileError(
                path, key: "tokenizer: model_max_length", expected: "at most the \(positions) places of text_encoder",
                found: "\(clipTokenizer.maximumLength)")
        }
        // Older configurations say 2 and mean the largest token.
        let end = clip.configuration.eosTokenID
        guard end == 2 || end == Int(clipTokenizer.eosTokenID) else {
            throw FileError(
                path, key: "text_encoder: eos_token_id",
                expected: "the tokenizer's end token, \(clipTokenizer.eosTokenID)",
                found: "\(end)")
        }
        self.clipTokenizer = clipTokenizer
        self.clip = clip
        self.t5Tokenizer = t5Tokenizer
        self.t5 = t5
    }

    /// The longest text that the long encoder's tokenizer was made for.
    public var maximumLength: Int { t5Tokenizer.maximumLength }

    /// T5's tokens of a prompt, its end among them, before padding; at most `maximumLength`.
    public func tokenCount(of prompt: String, maximumLength: Int = 512) -> Int {
        min(t5Tokenizer.tokenIDs(of: prompt).count + 1, maximumLength)
    }

    /// T5's hidden states of `maximumLength` tokens, `[B, maximumLength, joint]`, and CLIP's pooled vectors, `[B, P]`,
    /// both `float32`, computed in `computeType` (`float32` or `bfloat16`). Padding tokens take part, as in FLUX.
    public func encode(
        _ prompts: [String], maximumLength: Int = 512, computeType: DType = .float32
    ) -> (text: Tensor, pooled: Tensor) {
        let short = prompts.flatMap { clipTokenizer.encode($0) }
        let long = prompts.flatMap { t5Tokenizer.encode($0, maximumLength: maximumLength) }
        let pooled = clip(
            Tensor(short, [prompts.count, clipTokenizer.maximumLength]), computeType: computeType
        ).pooled
        clip.releaseWeights(memory)
        let text = t5(Tensor(long, [prompts.count, maximumLength]), computeType: computeType)
        t5.releaseWeights(memory)
        return (text.converted(to: .float32), pooled)
    }
}

extension PipelineFolder {
    /// Loads the image autoencoder; see ``AutoencoderKL/load(folder:)``.
    public func loadVAE() throws -> AutoencoderKL { try AutoencoderKL.load(folder: folder(of: .vae)) }

    /// Loads both text encoders and their tokenizers.
    public func loadTextEncoders() throws -> TextEncoders {
        try TextEncoders(
            path: path, clipTokenizer: CLIPTokenizer(folder: folder(of: .tokenizer)),
            clip: CLIPTextEncoder.load(folder: folder(of: .textEncoder)),
            t5Tokenizer: T5Tokenizer(folder: folder(of: .tokenizer2)),
            t5: T5Encoder.load(folder: folder(of: .textEncoder2)))
    }
}
