/// A unigram language model over pieces: the segmentation of a text with the highest sum of scores.
///
/// T. Kudo, *Subword Regularization* (2018), https://arxiv.org/abs/1804.10959, with the one-pass Viterbi search of
/// sentencepiece's `unigram_model.cc`. A character that no piece covers scores ten less than the lowest piece;
/// neighbours of that kind become one unknown token.
struct UnigramModel: Sendable {
    /// What the search leaves to the two file formats.
    struct Arithmetic: Sendable {
        /// sentencepiece (0.2.3) adds in single precision, `tokenizers` in double: ties are broken otherwise.
        var addsInSinglePrecision: Bool
        /// `tokenizers` looks the text of fused unknown neighbours up in the vocabulary once more.
        var looksUpFusedText: Bool
        /// The tokens of the 256 bytes that spell an unknown text; empty if there are none.
        var byteTokens: [Int32] = []
    }

    private let trie: ByteTrie
    private let scores: [Double]
    private let unknownID: Int32
    private let unknownScore: Double
    private let arithmetic: Arithmetic

    /// - Parameters:
    ///   - trie: the pieces that may be matched, with their ids.
    ///   - scores: the score of each id.
    ///   - unknownID: the id of an unknown text.
    ///   - minimumScore: the lowest score of a piece.
    init(trie: ByteTrie, scores: [Double], unknownID: Int32, minimumScore: Double, _ arithmetic: Arithmetic) {
        self.trie = trie
        self.scores = scores
        self.unknownID = unknownID
        self.arithmetic = arithmetic
        unknownScore = minimumScore - 10
    }

    /// The id of a piece that can be matched in a text.
    func id(of piece: String) -> Int32? { trie.value(of: piece) }

    private struct Node {
        var score = 0.0
        var id: Int32 = 0
        /// Where the piece that ends here begins, -1 while there is none.
        var start: Int32 = -1
    }

    /// Appends the ids of the best segmentation of a text in UTF-8.
    ///
    /// - Complexity: O(bytes x longest piece).
    func encode(_ text: [UInt8], into ids: inout [Int32]) {
        guard !text.isEmpty else { return }
        var best = [Node](repeating: Node(), count: text.count + 1)
        var start = 0
        while start < text.count {
            let scoreHere = best[start].score
            let characterEnd = min(start + UTF8.width(leadingByte: text[start]), text.count)
            var coversCharacter = false
            var node = ByteTrie.root
            var end = start
            while end < text.count {
                node = trie.child(of: node, text[end])
                if node < 0 { break }
                end += 1
                let id = trie.value(at: node)
                if id < 0 { continue }
                let candidate = stored(scores[Int(id)] + scoreHere)
                if best[end].start < 0 || candidate > best[end].score {
                    best[end] = Node(score: candidate, id: id, start: Int32(start))
                }
                if end == characterEnd { coversCharacter = true }
            }
            if !coversCharacter {
                let candidate = stored(unknownScore + scoreHere)
                if best[characterEnd].start < 0 || candidate > best[characterEnd].score {
                    best[characterEnd] = Node(score: candidate, id: unknownID, start: Int32(start))
                }
            }
            start = characterEnd
        }
        appendPath(best, of: text, to: &ids)
    }

    private func stored(_ score: Double) -> Double { arithmetic.addsInSinglePrecision ? Double(Float(score)) : score }

    private func appendPath(_ best: [Node], of text: [UInt8], to ids: inout [Int32]) {
        var path: [(start: Int, id: Int32)] = []
        var end = text.count
        while end > 0 {
            let node = best[end]
            end = Int(node.start)
            // Going backwards, an unknown stretch grows to the left.
            if node.id == unknownID, let last = path.last, last.id == unknownID {
                path[path.count - 1].start = end
            } else {
                path.append((end, node.id))
            }
        }
        for index in path.indices.reversed() {
            let (start, id) = path[index]
            guard id == unknownID else {
                ids.append(id)
                continue
            }
            let stretch = text[start..<(index > 0 ? path[index - 1].start : text.count)]
            if arithmetic.looksUpFusedText, let known = trie.value(of: stretch) {
                ids.append(known)
            } else if arithmetic.byteTokens.isEmpty {
                ids.append(unknownID)
            } else {
                for byte in stretch { ids.append(arithmetic.byteTokens[Int(byte)]) }
            }
        }
    }
}
