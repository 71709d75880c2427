import TensorIO

/// The `pre_tokenizer` of a tokenizer.json: where a normalized text may be cut before the model sees it.
indirect enum PreTokenizer: Sendable {
    case sequence([PreTokenizer])
    case whitespaceSplit
    case metaspace(replacement: [UInt8], prepend: PrependScheme, splits: Bool)

    /// Which pieces of a text get the mark of a word's beginning.
    enum PrependScheme: String, Sendable, CaseIterable {
        case always, first, never
    }

    /// A stretch of text, and whether the whole text begins with it.
    struct Piece: Sendable {
        var text: [UInt8]
        var isAtStart: Bool
    }

    private static let names = ["Sequence", "WhitespaceSplit", "Metaspace"]

    /// Reads the part of a tokenizer.json.
    init(_ node: JSONNode) throws {
        let type = try node.type()
        switch type {
        case "Sequence":
            self = .sequence(
                try node.required("pretokenizers", "an array of pre-tokenizers").elements().map(PreTokenizer.init))
        case "WhitespaceSplit": self = .whitespaceSplit
        case "Metaspace":
            let replacement = try node.member("replacement")?.string() ?? "\u{2581}"
            guard replacement.unicodeScalars.count == 1 else {
                throw node.fault(expected: "one character for a space", found: "'\(replacement)'")
            }
            // Files from before tokenizers 0.14 have only the flag.
            var prepend = PrependScheme.always
            if let scheme = try node.member("prepend_scheme") {
                guard let known = PrependScheme(rawValue: try scheme.string()) else {
                    throw scheme.fault(expected: "always, first or never")
                }
                prepend = known
            } else if try !node.flag("add_prefix_space", default: true) {
                prepend = .never
            }
            self = .metaspace(
                replacement: Array(replacement.utf8), prepend: prepend, splits: try node.flag("split", default: true))
        default:
            throw node.fault(
                expected: "a pre-tokenizer among \(Self.names.joined(separator: ", "))", found: "'\(type)'",
                nearest: nearestName(to: type, among: Self.names))
        }
    }

    /// The pieces of a piece; none of them is empty.
    func callAsFunction(_ piece: Piece) -> [Piece] {
        switch self {
        case .sequence(let parts): parts.reduce([piece]) { pieces, part in pieces.flatMap(part.callAsFunction) }
        case .whitespaceSplit: Self.words(of: piece)
        case .metaspace(let replacement, let prepend, let splits):
            Self.marked(piece, replacement: replacement, prepend: prepend, splits: splits)
        }
    }

    private static func words(of piece: Piece) -> [Piece] {
        let text = piece.text
        var words: [Piece] = []
        var (wordStart, position) = (0, 0)
        func close() {
            guard wordStart < position else { return }
            words.append(Piece(text: Array(text[wordStart..<position]), isAtStart: piece.isAtStart && wordStart == 0))
        }
        while let scalar = text.scalar(at: position) {
            if scalar.properties.isWhitespace {
                close()
                wordStart = position + UTF8.width(scalar)
            }
            position += UTF8.width(scalar)
        }
        close()
        return words
    }

    private static func marked(
        _ piece: Piece, replacement: [UInt8], prepend: PrependScheme, splits: Bool
    ) -> [Piece] {
        var text: [UInt8] = []
        text.reserveCapacity(piece.text.count + replacement.count)
        let takesMark = prepend == .always || prepend == .first && piece.isAtStart
        let hasMark = piece.text.first == UInt8(ascii: " ") || piece.text.starts(with: replacement)
        if takesMark, !hasMark { text += replacement }
        for byte in piece.text {
            if byte == UInt8(ascii: " ") { text += replacement } else { text.append(byte) }
        }
        guard splits else { return text.isEmpty ? [] : [Piece(text: text, isAtStart: piece.isAtStart)] }
        // Each mark begins a piece.
        var pieces: [Piece] = []
        var start = 0
        for position in text.indices.dropFirst() where text[position] == replacement[0] {
            guard text[position...].starts(with: replacement), position > start else { continue }
            pieces.append(Piece(text: Array(text[start..<position]), isAtStart: piece.isAtStart && start == 0))
            start = position
        }
        if start < text.count {
            pieces.append(Piece(text: Array(text[start...]), isAtStart: piece.isAtStart && start == 0))
        }
        return pieces
    }
}
