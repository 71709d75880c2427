/// What an encoder does not read of a prompt: it is cut after a number of tokens.
public struct CutPrompt: Sendable, Equatable {
    /// The tokens of the whole prompt, those of start and end among them.
    public let tokenCount: Int
    /// How many the encoder reads.
    public let limit: Int
    /// The text from the first word that is not wholly read to the end.
    public let lost: String

    /// The lost words in quotes, of many the first and the last, and how many there are.
    public var words: String {
        let words = lost.split(whereSeparator: \.isWhitespace)
        var shown = words.joined(separator: " ")
        if words.count > 12 {
            shown = words.prefix(4).joined(separator: " ") + " … " + words.suffix(7).joined(separator: " ")
        }
        if shown.count > 120 { shown = "\(shown.prefix(50)) … \(shown.suffix(60))" }
        return "\(words.count) \(words.count == 1 ? "word" : "words"), '\(shown)'"
    }
}

/// The tokenizers of both text encoders, which know what of a prompt the encoders read.
public struct PromptTokenizers: Sendable {
    /// CLIP's, whose encoder gives one pooled vector.
    public let clip: CLIPTokenizer
    /// T5's, whose encoder gives a vector for each token.
    public let t5: T5Tokenizer

    /// Joins both.
    public init(clip: CLIPTokenizer, t5: T5Tokenizer) {
        self.clip = clip
        self.t5 = t5
    }

    /// What CLIP does not read of a prompt; nil when it reads all.
    public func cutByCLIP(_ prompt: String) -> CutPrompt? {
        Self.cut(prompt, limit: clip.maximumLength, added: 2) { clip.tokenIDs(of: $0).count }
    }

    /// What T5 does not read of a prompt that is cut to `maximumLength` tokens; nil when it reads all.
    public func cutByT5(_ prompt: String, maximumLength: Int) -> CutPrompt? {
        Self.cut(prompt, limit: maximumLength, added: 1) { t5.tokenIDs(of: $0).count }
    }

    /// Finds where a prompt is cut: tokens do not reach from word to word, so that those of a beginning of whole words are
    /// the first tokens of all.
    private static func cut(_ prompt: String, limit: Int, added: Int, count: (String) -> Int) -> CutPrompt? {
        let room = limit - added
        // A token has a byte at least, where no character becomes several.
        if prompt.utf8.count < room, prompt.utf8.allSatisfy({ $0 < 0x80 }) { return nil }
        let total = count(prompt)
        guard total > room else { return nil }
        func longest(_ ends: [String.Index]) -> Int {
            var (low, high) = (0, ends.count)
            while low < high {
                let middle = (low + high + 1) / 2
                if count(String(prompt[..<ends[middle - 1]])) <= room { low = middle } else { high = middle - 1 }
            }
            return low
        }
        let words = prompt.split(whereSeparator: \.isWhitespace)
        let whole = longest(words.map(\.endIndex))
        guard whole < words.count else {
            // Nothing but white space is cut off.
            return nil
        }
        var start = words[whole].startIndex
        if words[whole].count > 24 {
            // Scripts without spaces: the place within what looks like one word.
            let ends = Array(words[whole].indices.dropFirst()) + [words[whole].endIndex]
            let read = longest(ends)
            if read > 0 { start = ends[read - 1] }
        }
        return CutPrompt(tokenCount: total + added, limit: limit, lost: String(prompt[start...]))
    }
}

extension TextEncoders {
    /// The tokenizers without the encoders.
    public var tokenizers: PromptTokenizers { PromptTokenizers(clip: clipTokenizer, t5: t5Tokenizer) }
}

extension PipelineParts {
    /// Loads both tokenizers. Throws `FileError`.
    public func loadTokenizers() throws -> PromptTokenizers {
        PromptTokenizers(clip: try CLIPTokenizer(folder: tokenizerFolder(.tokenizer)), t5: try loadT5Tokenizer())
    }
}
