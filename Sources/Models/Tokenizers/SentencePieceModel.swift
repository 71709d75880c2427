import TensorIO

/// A sentencepiece unigram model: the normalizer and the pieces of a `spiece.model`
/// (https://github.com/google/sentencepiece, `normalizer.cc`, `unigram_model.cc`, `sentencepiece_processor.cc`).
struct SentencePieceModel: Sendable {
    let pieceCount: Int
    private let model: UnigramModel
    private let reservedIDs: [String: Int32]
    /// Pieces that the normalizer must leave alone.
    private let userDefined: ByteTrie
    private let charsmap: Charsmap?
    private let addsDummyPrefix: Bool
    private let removesExtraWhitespaces: Bool
    private let escapesWhitespaces: Bool
    private let treatsWhitespaceAsSuffix: Bool

    init(file path: String) throws { try self.init(SentencePieceFile(path)) }

    init(_ file: SentencePieceFile) throws {
        let path = file.path
        guard file.modelType == 1 else {
            let types = [2: "2 (BPE)", 3: "3 (word)", 4: "4 (char)"]
            throw FileError(
                path, key: "trainer_spec.model_type", expected: "1 (unigram)",
                found: types[Int(clamping: file.modelType)] ?? "\(file.modelType)")
        }
        pieceCount = file.pieces.count
        charsmap = file.charsmap
        addsDummyPrefix = file.addsDummyPrefix
        removesExtraWhitespaces = file.removesExtraWhitespaces
        escapesWhitespaces = file.escapesWhitespaces
        treatsWhitespaceAsSuffix = file.treatsWhitespaceAsSuffix

        let minimum = file.pieces.lazy.filter { $0.type == .normal }.map(\.score).min() ?? 0
        var all = ByteTrie(byteCount: 8 * file.pieces.count)
        var matched = ByteTrie(byteCount: 8 * file.pieces.count)
        var userDefined = ByteTrie()
        var reserved: [String: Int32] = [:]
        var unknownID: Int32?
        var scores: [Double] = []
        scores.reserveCapacity(file.pieces.count)
        for (index, piece) in file.pieces.enumerated() {
            let id = Int32(index)
            if let first = all.value(of: piece.text) {
                throw FileError(
                    path, key: "pieces[\(index)]", expected: "each piece once",
                    found: "'\(printable(piece.text, limit: 40))' of pieces[\(first)] again")
            }
            all.insert(Array(piece.text.utf8), value: id)
            var score = Double(piece.score)
            switch piece.type {
            case .normal: matched.insert(Array(piece.text.utf8), value: id)
            case .userDefined:
                matched.insert(Array(piece.text.utf8), value: id)
                userDefined.insert(Array(piece.text.utf8), value: id)
                // More than its parts could have: the scores of ordinary pieces are negative.
                score = Double(Float(0.1 * Double(piece.text.utf8.count - 1)))
            case .unknown:
                if let unknownID {
                    throw FileError(
                        path, key: "pieces[\(index)].type", expected: "one unknown piece",
                        found: "a second one after pieces[\(unknownID)]")
                }
                unknownID = id
                reserved[piece.text] = id
            case .control, .byte: reserved[piece.text] = id
            case .unused: break
            }
            scores.append(score)
        }
        guard let unknownID else {
            throw FileError(path, key: "pieces", expected: "a piece of type unknown", found: "none")
        }
        var arithmetic = UnigramModel.Arithmetic(addsInSinglePrecision: true, looksUpFusedText: false)
        if file.hasByteFallback {
            arithmetic.byteTokens = try (0..<256).map { byte in
                if let id = reserved[bytePiece(UInt8(byte))] { return id }
                throw FileError(
                    path, key: "trainer_spec.byte_fallback", expected: "a piece for every byte",
                    found: "no '\(bytePiece(UInt8(byte)))'")
            }
        }
        self.userDefined = userDefined
        reservedIDs = reserved
        model = UnigramModel(
            trie: matched, scores: scores, unknownID: unknownID, minimumScore: Double(minimum), arithmetic)
    }

    /// The id of a piece of any type but an unused one.
    func id(of piece: String) -> Int32? { reservedIDs[piece] ?? model.id(of: piece) }

    /// Appends the ids of a text in UTF-8 in which nothing is a control token.
    func encode(_ text: [UInt8], into ids: inout [Int32]) { model.encode(normalized(text), into: &ids) }

    /// The text as the pieces spell it: mapped characters, single spaces, each of them a `▁`, one in front.
    func normalized(_ text: [UInt8]) -> [UInt8] {
        let space = UInt8(ascii: " ")
        let mark: [UInt8] = escapesWhitespaces ? [0xE2, 0x96, 0x81] : [space]
        var position = 0
        if removesExtraWhitespaces {
            while position < text.count {
                let (replacement, end) = prefix(of: text, from: position)
                guard replacement.count == 1, replacement.first == space else { break }
                position = end
            }
        }
        guard position < text.count else { return [] }
        var output: [UInt8] = []
        output.reserveCapacity(text.count + text.count / 2)
        if addsDummyPrefix, !treatsWhitespaceAsSuffix { output += mark }
        var followsSpace = removesExtraWhitespaces
        while position < text.count {
            var (replacement, end) = prefix(of: text, from: position)
            position = end
            if followsSpace { replacement = replacement.drop { $0 == space } }
            for byte in replacement {
                if byte == space { output += mark } else { output.append(byte) }
            }
            if let last = replacement.last { followsSpace = removesExtraWhitespaces && last == space }
        }
        if removesExtraWhitespaces {
            while output.count >= mark.count, output.suffix(mark.count).elementsEqual(mark) {
                output.removeLast(mark.count)
            }
        }
        if addsDummyPrefix, treatsWhitespaceAsSuffix { output += mark }
        return output
    }

    /// What the characters at `start` become, and where they end.
    private func prefix(of text: [UInt8], from start: Int) -> (replacement: ArraySlice<UInt8>, end: Int) {
        if !userDefined.isEmpty, let match = userDefined.longestMatch(in: text, from: start) {
            return (text[start..<match.end], match.end)
        }
        if let match = charsmap?.longestMatch(in: text, from: start) { return (match.replacement, match.end) }
        // A map whose key ends within a character leaves bytes that begin none.
        guard text[start] & 0xC0 != 0x80 else { return ([0xEF, 0xBF, 0xBD], start + 1) }
        let end = min(start + UTF8.width(leadingByte: text[start]), text.count)
        return (text[start..<end], end)
    }
}
