import TensorIO

/// The tokenizer of the CLIP text encoders: lowercased byte-level byte-pair encoding between a start and an end token.
///
///     let tokenizer = try CLIPTokenizer(folder: "FLUX.1-Fill-dev/tokenizer")
///     let ids = tokenizer.encode("make the sky pink")   // 77 ids: <|startoftext|>, the text, <|endoftext|> …
///
/// The ids are those of transformers' `CLIPTokenizer` (`models/clip/tokenization_clip.py`), but for characters that Unicode got
/// after its version 9: its normalizer does not know how their marks are ordered and its patterns not all their letters.
public struct CLIPTokenizer: Sendable {
    private let encoding: BytePairEncoding
    private let addedTokens: AddedTokens
    /// How many ids `encode` gives if nothing else is asked for: `model_max_length` of the folder, else 77.
    public let maximumLength: Int
    /// The id that a prompt begins with, `<|startoftext|>`.
    public let bosTokenID: Int32
    /// The id that a prompt ends with, `<|endoftext|>`: the encoder's pooled output is taken where it first stands.
    public let eosTokenID: Int32
    /// The id behind the end; in FLUX's folder the end token itself.
    public let padTokenID: Int32
    /// One more than the largest id.
    public let vocabularySize: Int

    /// Reads a `tokenizer` folder: `vocab.json` and `merges.txt`, or a `tokenizer.json` that holds both, and
    /// `tokenizer_config.json` if it is there.
    ///
    /// - Throws: `FileError` for a file that is missing or malformed and for merges that the vocabulary does not know.
    public init(folder: String) throws {
        let configuration = try TokenizerConfiguration(folder: folder)
        let vocabulary = try CLIPVocabulary(folder: folder)
        maximumLength = configuration.maximumLength ?? 77

        // A later role takes over a token that an earlier one had; the decoder of the configuration precedes them all.
        var tokens = configuration.addedTokens.numbered(vocabularyCount: vocabulary.count) {
            vocabulary.pieces.value(of: $0)
        }
        let decoded = tokens.count
        var ids: [String: Int32] = [:]
        let end = "<|endoftext|>"
        let names = ["bos_token": "<|startoftext|>", "eos_token": end, "unk_token": end, "pad_token": end]
        for role in TokenizerConfiguration.roles {
            let named = configuration.specialTokens[role] ?? .init(content: names[role]!)
            let index = tokens.firstIndex { $0.content.utf8.elementsEqual(named.content.utf8) }
            guard let id = index.map({ tokens[$0].id }) ?? vocabulary.pieces.value(of: named.content) else {
                throw FileError(
                    vocabulary.path, key: role, expected: "'\(printable(named.content, limit: 40))' in the vocabulary",
                    found: "no such token")
            }
            ids[role] = id
            let token = AddedToken(
                content: named.content, id: id, isSingleWord: named.isSingleWord, stripsLeft: named.stripsLeft,
                stripsRight: named.stripsRight, isNormalized: named.isNormalized)
            if let index {
                if index >= decoded { tokens[index] = token }
            } else {
                tokens.append(token)
            }
        }
        (bosTokenID, eosTokenID, padTokenID) = (ids["bos_token"]!, ids["eos_token"]!, ids["pad_token"]!)
        vocabularySize = Int(max(vocabulary.largestID, tokens.map(\.id).max()!)) + 1
        addedTokens = AddedTokens(tokens, normalize: Self.normalized)
        encoding = try BytePairEncoding(
            vocabulary: vocabulary.pieces, merges: vocabulary.merges, unknownID: ids["unk_token"]!,
            path: vocabulary.mergesPath, place: vocabulary.mergePlace)
    }

    /// The ids of a text, cut to `maximumLength` with the end token kept as the last, filled up with the padding token.
    ///
    /// - Parameter maximumLength: how many ids come out, at least 2; the folder's own number if nil.
    public func encode(_ text: String, maximumLength: Int? = nil) -> [Int32] {
        let count = maximumLength ?? self.maximumLength
        precondition(count >= 2, "a CLIP prompt has at least its start and its end token")
        var ids = [bosTokenID]
        ids += tokenIDs(of: text).prefix(count - 2)
        ids.append(eosTokenID)
        ids.append(contentsOf: repeatElement(padTokenID, count: count - ids.count))
        return ids
    }

    /// The ids of a text alone: no start and end, not cut, not filled up.
    public func tokenIDs(of text: String) -> [Int32] {
        addedTokens.encode(text, normalize: Self.normalized) { segment, _, ids in
            CLIPWords.forEach(in: segment) { encoding.encode($0, into: &ids) }
        }
    }

    /// Canonical composition (NFC), white space collapsed to single spaces, lower case.
    private static func normalized(_ text: [UInt8]) -> [UInt8] {
        let composed = CanonicalComposition.composed(text)
        var collapsed: [UInt8] = []
        collapsed.reserveCapacity(composed.count)
        var position = 0
        var followsSpace = false
        while let scalar = composed.scalar(at: position) {
            position += UTF8.width(scalar)
            let isSpace = scalar.properties.isWhitespace
            if !isSpace { collapsed.append(scalar) } else if !followsSpace { collapsed.append(UInt8(ascii: " ")) }
            followsSpace = isSpace
        }
        return lowercased(collapsed)
    }
}
