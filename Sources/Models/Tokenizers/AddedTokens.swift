import TensorIO

/// A token that is recognised in the text itself before anything else is done with it, as `</s>` or `<extra_id_0>`.
struct AddedToken: Sendable {
    var content: String
    var id: Int32
    /// Only between characters that are no part of a word.
    var isSingleWord = false
    /// Swallows the white space before it.
    var stripsLeft = false
    /// Swallows the white space after it.
    var stripsRight = false
    /// Is looked for in the normalized text instead of the text as given.
    var isNormalized = false
}

extension AddedToken {
    /// The form that `added_tokens` of tokenizer.json and `added_tokens_decoder` of tokenizer_config.json share.
    init(_ node: JSONNode, id: Int32) throws {
        let content = try node.required("content", "the token's text").string()
        guard !content.isEmpty else { throw node.fault(expected: "a token's text", found: "an empty one") }
        let isSpecial = try node.flag("special", default: false)
        self.init(
            content: content, id: id, isSingleWord: try node.flag("single_word", default: false),
            stripsLeft: try node.flag("lstrip", default: false), stripsRight: try node.flag("rstrip", default: false),
            isNormalized: try node.flag("normalized", default: !isSpecial))
    }
}

extension [AddedToken] {
    /// The tokens with the ids that `tokenizers` gives them, whatever their file says: that of the vocabulary, or the
    /// next one that is free behind the vocabulary of `count` pieces and the tokens before.
    func numbered(vocabularyCount count: Int, idOf: (String) -> Int32?) -> [AddedToken] {
        var next = Int32(count)
        var ids: [[UInt8]: Int32] = [:]
        return map { token in
            var token = token
            if let id = idOf(token.content) ?? ids[[UInt8](token.content.utf8)] {
                token.id = id
            } else {
                token.id = next
                ids[[UInt8](token.content.utf8)] = next
            }
            next = Swift.max(next, token.id + 1)
            return token
        }
    }
}

/// The added tokens of a tokenizer and the search for them, as `tokenizers` (Hugging Face) does it in
/// `added_vocabulary.rs`: leftmost match, the longest of those; first in the raw text, then, between the matches, in
/// the normalized one.
struct AddedTokens: Sendable {
    private let tokens: [AddedToken]
    private var raw = ByteTrie()
    private var normalized = ByteTrie()

    /// `normalize` turns the text of the tokens that are looked for in normalized text into what is found there.
    init(_ tokens: [AddedToken], normalize: ([UInt8]) -> [UInt8]) {
        self.tokens = tokens
        for (index, token) in tokens.enumerated() {
            let content = Array(token.content.utf8)
            if token.isNormalized {
                let wanted = normalize(content)
                if !wanted.isEmpty { normalized.insert(wanted, value: Int32(index)) }
            } else {
                raw.insert(content, value: Int32(index))
            }
        }
    }

    /// The id of a token by its text.
    func id(of content: String) -> Int32? { tokens.last { $0.content.utf8.elementsEqual(content.utf8) }?.id }

    /// The ids of a text: added tokens by themselves, what lies between them normalized and given to `encode`, which
    /// appends its ids and is told whether the text begins there.
    func encode(
        _ text: String, normalize: ([UInt8]) -> [UInt8],
        _ encode: (_ segment: [UInt8], _ isAtStart: Bool, _ ids: inout [Int32]) -> Void
    ) -> [Int32] {
        var ids: [Int32] = []
        let bytes = Array(text.utf8)
        forEachPart(of: bytes, raw) { part, token in
            if let token { return ids.append(token) }
            let segment = normalize(Array(bytes[part]))
            forEachPart(of: segment, normalized) { inner, token in
                if let token { return ids.append(token) }
                encode(
                    inner.count == segment.count ? segment : Array(segment[inner]),
                    part.lowerBound == 0 && inner.lowerBound == 0, &ids)
            }
        }
        return ids
    }

    /// Calls `body` with every token of `trie` in `text` and every stretch between two of them.
    private func forEachPart(of text: [UInt8], _ trie: ByteTrie, _ body: (Range<Int>, Int32?) -> Void) {
        var done = 0
        var position = 0
        while !trie.isEmpty, position < text.count {
            guard let match = trie.longestMatch(in: text, from: position) else {
                position += 1
                continue
            }
            let token = tokens[Int(match.value)]
            var (start, end) = (position, match.end)
            position = match.end
            if token.isSingleWord, isWord(text.scalar(before: start)) || isWord(text.scalar(at: end)) { continue }
            if token.stripsLeft {
                while start > done, let scalar = text.scalar(before: start), scalar.properties.isWhitespace {
                    start -= UTF8.width(scalar)
                }
            }
            if token.stripsRight {
                while let scalar = text.scalar(at: end), scalar.properties.isWhitespace { end += UTF8.width(scalar) }
            }
            // A token whose right side was stripped may have swallowed the space that this one would strip.
            start = max(start, done)
            if done < start { body(done..<start, nil) }
            body(start..<end, token.id)
            done = end
            position = max(position, end)
        }
        if done < text.count { body(done..<text.count, nil) }
    }

    /// Whether a character is one of a word (`\w`, Unicode UTS #18 annex C).
    private func isWord(_ scalar: Unicode.Scalar?) -> Bool {
        guard let properties = scalar?.properties else { return false }
        switch properties.generalCategory {
        case .nonspacingMark, .spacingMark, .enclosingMark, .decimalNumber, .connectorPunctuation: return true
        default: return properties.isAlphabetic || properties.isJoinControl
        }
    }
}
