import TensorIO

/// A unigram tokenizer as a tokenizer.json of Hugging Face's `tokenizers` describes it: normalizer, pre-tokenizer and
/// model.
struct UnigramPipeline: Sendable {
    let normalizer: TextNormalizer?
    let preTokenizer: PreTokenizer?
    let model: UnigramModel
    let pieceCount: Int
    let addedTokens: AddedTokens
    private let largestAddedID: Int32

    /// One more than the largest id.
    var vocabularySize: Int { max(pieceCount, Int(largestAddedID) + 1) }

    init(file path: String) throws {
        let file = try JSONNode(file: path)
        let normalizer = try file.member("normalizer").map(TextNormalizer.init)
        self.normalizer = normalizer
        preTokenizer = try file.member("pre_tokenizer").map(PreTokenizer.init)
        (model, pieceCount) = try Self.model(try file.required("model", "the model of the tokenizer"))
        let listed = try (file.member("added_tokens")?.elements() ?? []).map {
            try AddedToken($0, id: try $0.required("id", "the token's id").tokenID())
        }
        let tokens = listed.numbered(vocabularyCount: pieceCount, idOf: model.id(of:))
        largestAddedID = tokens.map(\.id).max() ?? -1
        addedTokens = AddedTokens(tokens) { normalizer?($0) ?? $0 }
    }

    /// The id of a token, added or of the vocabulary.
    func id(of token: String) -> Int32? { addedTokens.id(of: token) ?? model.id(of: token) }

    /// The ids of a text, without any token at its end.
    func tokenIDs(of text: String) -> [Int32] {
        addedTokens.encode(text, normalize: { normalizer?($0) ?? $0 }) { segment, isAtStart, ids in
            let whole = PreTokenizer.Piece(text: segment, isAtStart: isAtStart)
            for piece in preTokenizer?(whole) ?? [whole] { model.encode(piece.text, into: &ids) }
        }
    }

    private static func model(_ node: JSONNode) throws -> (UnigramModel, pieceCount: Int) {
        let type = try node.type()
        guard type == "Unigram" else { throw node.fault(expected: "a model of type 'Unigram'", found: "'\(type)'") }
        let vocabulary = try node.required("vocab", "an array of [piece, score]")
        guard case .array(let entries) = vocabulary.value, !entries.isEmpty else {
            throw vocabulary.fault(expected: "an array of [piece, score]")
        }
        var trie = ByteTrie(byteCount: 8 * entries.count)
        var scores: [Double] = []
        scores.reserveCapacity(entries.count)
        for (index, entry) in entries.enumerated() {
            guard case .array(let pair) = entry, pair.count == 2, case .string(let piece) = pair[0],
                case .number(let score) = pair[1]
            else {
                throw FileError(
                    node.path, key: "\(vocabulary.key)[\(index)]", expected: "[piece, score]", found: entry.kind)
            }
            if !piece.isEmpty { trie.insert(Array(piece.utf8), value: Int32(index)) }
            scores.append(score.double)
        }
        let unknown = try node.required("unk_id", "the id of the unknown token")
        let unknownID = try unknown.tokenID()
        guard Int(unknownID) < scores.count else {
            throw unknown.fault(expected: "an id below the \(scores.count) of the vocabulary")
        }
        var arithmetic = UnigramModel.Arithmetic(addsInSinglePrecision: false, looksUpFusedText: true)
        if let fallback = try node.member("byte_fallback"), try fallback.bool() {
            arithmetic.byteTokens = try (0..<256).map { byte in
                let piece = bytePiece(UInt8(byte))
                if let id = trie.value(of: piece) { return id }
                throw fallback.fault(expected: "a piece for every byte", found: "no '\(piece)' in the vocabulary")
            }
        }
        let model = UnigramModel(
            trie: trie, scores: scores, unknownID: unknownID, minimumScore: scores.min()!, arithmetic)
        return (model, scores.count)
    }
}

/// The piece that spells a byte: `<0x0A>`.
func bytePiece(_ byte: UInt8) -> String {
    let digits = String(byte, radix: 16, uppercase: true)
    return "<0x\(digits.count < 2 ? "0" : "")\(digits)>"
}
