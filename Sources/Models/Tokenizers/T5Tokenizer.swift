public import TensorIO

/// The tokenizer of the T5 text encoders: sentencepiece unigram pieces and the end token.
///
///     let tokenizer = try T5Tokenizer(folder: "FLUX.1-Fill-dev/tokenizer_2")
///     let ids = tokenizer.encode("make the sky pink")   // 512 ids: the text, </s>, <pad> …
///
/// A folder's `tokenizer.json` is followed where there is one, as transformers' fast tokenizer does, else its
/// `spiece.model`, as sentencepiece itself does. The two treat some rare characters differently (one looks grapheme
/// clusters up in the character map, the other takes its longest entry), and this type keeps each one's ways.
public struct T5Tokenizer: Sendable {
    private enum Segmenter: Sendable {
        case pipeline(UnigramPipeline)
        case sentencePiece(SentencePieceModel, AddedTokens)
    }

    private let segmenter: Segmenter
    /// How many ids `encode` gives if nothing else is asked for: `model_max_length` of the folder, else 512.
    public let maximumLength: Int
    /// The id of `</s>`.
    public let eosTokenID: Int32
    /// The id of `<pad>`.
    public let padTokenID: Int32
    /// One more than the largest id.
    public let vocabularySize: Int

    /// Reads a `tokenizer_2` folder: `tokenizer.json` or `spiece.model`, and `tokenizer_config.json` if it is there.
    ///
    /// - Throws: `FileError` for a file that is missing, malformed or of another kind of model.
    public init(folder: String) throws {
        let names = ["tokenizer.json", "spiece.model"]
        guard let name = names.first(where: { fileExists(filePath(folder, $0)) }) else {
            throw FileError(folder, expected: "a folder with \(names.joined(separator: " or "))", found: "neither")
        }
        try self.init(file: filePath(folder, name), folder: folder)
    }

    /// Reads the tokenizer that llama.cpp puts into the metadata of a T5's GGUF file.
    ///
    /// - Throws: `FileError` when there is none or it is malformed.
    public init(_ file: GGUFFile) throws {
        let model = try SentencePieceModel(SentencePieceFile(file))
        let tokens = try Self.addedTokens(model, TokenizerConfiguration(extraIDs: 0))
        vocabularySize = max(model.pieceCount, Int(tokens.map(\.id).max() ?? -1) + 1)
        let added = AddedTokens(tokens, normalize: model.normalized)
        segmenter = .sentencePiece(model, added)
        maximumLength = 512
        func id(_ token: String) throws -> Int32 {
            if let id = added.id(of: token) ?? model.id(of: token) { return id }
            throw FileError(
                file.path, key: "tokenizer.ggml.tokens", expected: "'\(token)' in the vocabulary",
                found: "no such token")
        }
        eosTokenID = try id("</s>")
        padTokenID = try id("<pad>")
    }

    /// Reads one file, a `tokenizer.json` or a `spiece.model`, with the `tokenizer_config.json` of a folder.
    package init(file path: String, folder: String) throws {
        let configuration = try TokenizerConfiguration(folder: folder)
        maximumLength = configuration.maximumLength ?? 512
        let find: (String) -> Int32?
        if path.hasSuffix(".json") {
            let pipeline = try UnigramPipeline(file: path)
            vocabularySize = pipeline.vocabularySize
            segmenter = .pipeline(pipeline)
            find = pipeline.id(of:)
        } else {
            let model = try SentencePieceModel(file: path)
            let tokens = try Self.addedTokens(model, configuration)
            vocabularySize = max(model.pieceCount, Int(tokens.map(\.id).max() ?? -1) + 1)
            let added = AddedTokens(tokens, normalize: model.normalized)
            segmenter = .sentencePiece(model, added)
            find = { added.id(of: $0) ?? model.id(of: $0) }
        }
        func id(_ role: String, _ token: String) throws -> Int32 {
            if let id = find(token) { return id }
            throw FileError(path, key: role, expected: "'\(token)' in the vocabulary", found: "no such token")
        }
        eosTokenID = try id("eos_token", configuration.specialTokens["eos_token"]?.content ?? "</s>")
        padTokenID = try id("pad_token", configuration.specialTokens["pad_token"]?.content ?? "<pad>")
    }

    /// The ids of a text, cut to `maximumLength` with `</s>` kept as the last, filled up with `<pad>`.
    ///
    /// `maximumLength` is how many ids come out, at least 1; the folder's own number if nil.
    public func encode(_ text: String, maximumLength: Int? = nil) -> [Int32] {
        let count = maximumLength ?? self.maximumLength
        precondition(count >= 1, "a T5 prompt has at least its end token")
        var ids = Array(tokenIDs(of: text).prefix(count - 1))
        ids.append(eosTokenID)
        ids.append(contentsOf: repeatElement(padTokenID, count: count - ids.count))
        return ids
    }

    /// The ids of a text alone: no end token, not cut, not filled up.
    public func tokenIDs(of text: String) -> [Int32] {
        switch segmenter {
        case .pipeline(let pipeline): pipeline.tokenIDs(of: text)
        case .sentencePiece(let model, let added):
            added.encode(text, normalize: { $0 }) { segment, _, ids in model.encode(segment, into: &ids) }
        }
    }

    /// The tokens that transformers recognises in the text beside a `spiece.model`, which does not hold the sentinels.
    ///
    /// `<extra_id_0>` has the highest id (32099 of T5 v1.1) and the others count down from it: transformers 4.46 and
    /// 5.23 both give those ids when a folder has nothing but `spiece.model`. A `tokenizer.json` lists its own; one
    /// that transformers 5 made from a vocabulary alone counts upwards.
    private static func addedTokens(
        _ model: SentencePieceModel, _ configuration: TokenizerConfiguration
    ) throws -> [AddedToken] {
        var tokens = configuration.addedTokens
        func add(_ content: String, _ id: Int32) {
            if !tokens.contains(where: { $0.content == content }) {
                tokens.append(AddedToken(content: content, id: id))
            }
        }
        for (role, content) in [("pad_token", "<pad>"), ("eos_token", "</s>"), ("unk_token", "<unk>")] {
            let content = configuration.specialTokens[role]?.content ?? content
            if let id = model.id(of: content) { add(content, id) }
        }
        let extraIDs = configuration.extraIDs ?? 100
        for index in 0..<extraIDs {
            let content = "<extra_id_\(index)>"
            add(content, model.id(of: content) ?? Int32(model.pieceCount + extraIDs - 1 - index))
        }
        return tokens
    }
}
