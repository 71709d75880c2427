/// Cuts a normalized text into the words that CLIP's byte-pair encoding sees, by the pattern
/// `'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+`
/// (https://github.com/openai/CLIP/blob/main/clip/simple_tokenizer.py).
struct CLIPWords {
    private enum Kind { case letter, number, space, other }

    private static let contractions = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d"].map { Array($0.utf8) }
    /// The pattern of transformers also has these two, which get there only by being lowercased: as texts, not tokens,
    /// so that the byte-level step behind cuts them once more, at the letters.
    private static let literals = ["startoftext", "endoftext"].map { (Array("<|\($0)|>".utf8), $0.utf8.count) }

    /// Calls `body` with each word in turn.
    static func forEach(in text: [UInt8], _ body: (ArraySlice<UInt8>) -> Void) {
        var start = 0
        scan: while start < text.count {
            if text[start] == UInt8(ascii: "<") {
                for (literal, nameLength) in literals where text[start...].starts(with: literal) {
                    body(text[start..<start + 2])
                    body(text[start + 2..<start + 2 + nameLength])
                    body(text[start + 2 + nameLength..<start + literal.count])
                    start += literal.count
                    continue scan
                }
            } else if text[start] == UInt8(ascii: "'") {
                for contraction in contractions where text[start...].starts(with: contraction) {
                    body(text[start..<start + contraction.count])
                    start += contraction.count
                    continue scan
                }
            }
            let (kind, width) = kind(in: text, at: start)
            var end = start + width
            if kind == .letter || kind == .other {
                while end < text.count {
                    let (next, width) = self.kind(in: text, at: end)
                    if next != kind { break }
                    end += width
                }
            }
            if kind != .space { body(text[start..<end]) }
            start = end
        }
    }

    private static func kind(in text: [UInt8], at start: Int) -> (Kind, width: Int) {
        switch text[start] {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): return (.letter, 1)
        case UInt8(ascii: "0")...UInt8(ascii: "9"): return (.number, 1)
        case 0x09...0x0D, 0x20: return (.space, 1)
        case ..<0x80: return (.other, 1)
        default: break
        }
        let scalar = text.scalar(at: start)!
        let width = UTF8.width(scalar)
        switch scalar.properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter:
            return (.letter, width)
        case .decimalNumber, .letterNumber, .otherNumber: return (.number, width)
        default: return (scalar.properties.isWhitespace ? .space : .other, width)
        }
    }
}
