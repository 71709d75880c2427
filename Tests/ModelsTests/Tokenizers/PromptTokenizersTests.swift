import Models
import TestSupport
import Testing

@Suite struct PromptTokenizersTests {
    private let tokenizers: PromptTokenizers

    init() throws {
        tokenizers = try PipelineParts(folder: Fixtures.path("tiny-random-fill")).loadTokenizers()
    }

    /// A prompt is cut exactly where the ids that the encoder gets leave off.
    @Test(arguments: [
        (0..<120).map { "the \($0) cats" }.joined(separator: " "),
        "a wall, " + String(repeating: "and a table ", count: 200),
        String(repeating: "把天空变成粉红色", count: 40), "short " + String(repeating: "unbroken", count: 60),
    ])
    func theLostWordsAreThoseThatNoTokenOfTheEncoderHolds(prompt: String) throws {
        for length in [16, 64, 512] {
            let read = tokenizers.t5.encode(prompt, maximumLength: length)
            guard let cut = tokenizers.cutByT5(prompt, maximumLength: length) else {
                #expect(tokenizers.t5.tokenIDs(of: prompt).count < length)
                continue
            }
            #expect(cut.limit == length && cut.tokenCount == tokenizers.t5.tokenIDs(of: prompt).count + 1)
            // What is left has all its tokens among those that are read, and one word more has not.
            let kept = String(prompt.dropLast(cut.lost.count))
            let ids = tokenizers.t5.tokenIDs(of: kept)
            #expect(ids.count < length && Array(read.prefix(ids.count)) == ids)
            let more = kept + cut.lost.prefix(30)
            #expect(tokenizers.t5.tokenIDs(of: more).count >= length, "\(more)")
            #expect(prompt.hasSuffix(cut.lost))
        }
        let cut = try #require(tokenizers.cutByCLIP(prompt))
        #expect(cut.limit == tokenizers.clip.maximumLength)
        let kept = tokenizers.clip.tokenIDs(of: String(prompt.dropLast(cut.lost.count)))
        #expect(kept.count <= cut.limit - 2)
        // A word that is cut ends otherwise than one that goes on.
        #expect(tokenizers.clip.encode(prompt).dropFirst().prefix(kept.count - 1) == kept.dropLast())
    }

    @Test func whatFitsIsNotCut() {
        for prompt in ["", "make the cat blue", "füge „ß“ hinzu"] {
            #expect(tokenizers.cutByT5(prompt, maximumLength: 64) == nil && tokenizers.cutByCLIP(prompt) == nil)
        }
    }

    @Test func theWordsAreShownInOneLine() throws {
        let prompt = (0..<300).map { "word\($0)" }.joined(separator: "\n") + " make the cat blue"
        let words = try #require(tokenizers.cutByT5(prompt, maximumLength: 64)).words
        #expect(words.hasSuffix("make the cat blue'") && words.count < 100 && !words.contains("\n"), "\(words)")
        let few = try #require(tokenizers.cutByCLIP(String(repeating: "a ", count: 73) + "cat is blue"))
        #expect(few.words == "1 word, 'blue'", "\(few)")
    }
}
