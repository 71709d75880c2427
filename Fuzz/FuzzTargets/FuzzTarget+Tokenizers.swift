import Foundation
import Models
import TensorIO

/// The files of tokenizers, and texts that go through what was read.
extension FuzzTarget {
    static var tokenizers: [FuzzTarget] {
        [
            t5("tokenizer-json-t5", file: "tokenizer.json", seeds: [unigram]),
            t5("sentencepiece", file: "spiece.model", seeds: [pieces]),
            clip("tokenizer-json-clip", file: "tokenizer.json", seeds: [bytePair]),
            clip("clip-merges", file: "merges.txt", seeds: [Array("#version: 0.2\nm a\nma k\ne </w>\n".utf8)]),
            clip("clip-vocabulary", file: "vocab.json", seeds: [vocabulary]),
            clip("tokenizer-config", file: "tokenizer_config.json", seeds: [tokenizerConfiguration]),
        ]
    }

    private static let texts = [
        "make the sky pink", " ½ ﬁ 日本語\u{0}\u{301} </s>é", "", "  <extra_id_0>x<|endoftext|> \n",
    ]
    private static let words = [
        "type", "Sequence", "Unigram", "BPE", "Metaspace", "WhitespaceSplit", "Precompiled", "Replace", "Strip",
        "Prepend",
        "Lowercase", "NFC", "pattern", "Regex", "String", "content", "vocab", "merges", "unk_id", "added_tokens",
        "special",
        "lstrip", "rstrip", "single_word", "normalized", "byte_fallback", "<unk>", "</s>", "<pad>", "▁", "</w>",
        "<0x0A>",
        "extra_ids", "model_max_length", "added_tokens_decoder", "eos_token", "\\\\s+", " {2,}",
    ]

    private static func t5(_ name: String, file: String, seeds: [[UInt8]]) -> FuzzTarget {
        FuzzTarget(
            name, dictionary: words,
            seeds: { folder in
                _ = try folder.make(name)
                return seeds
            }
        ) { bytes, folder in
            try folder.write(bytes, "\(name)/\(file)")
            let tokenizer = try T5Tokenizer(folder: "\(folder.path)/\(name)")
            for text in texts { _ = tokenizer.encode(text, maximumLength: 16) }
        }
    }

    private static func clip(_ name: String, file: String, seeds: [[UInt8]]) -> FuzzTarget {
        FuzzTarget(
            name, dictionary: words,
            seeds: { folder in
                _ = try folder.make(name)
                if file != "tokenizer.json" {
                    try folder.write(vocabulary, "\(name)/vocab.json")
                    try folder.write(Array("#version: 0.2\nm a\nma k\n".utf8), "\(name)/merges.txt")
                }
                return seeds
            }
        ) { bytes, folder in
            try folder.write(bytes, "\(name)/\(file)")
            let tokenizer = try CLIPTokenizer(folder: "\(folder.path)/\(name)")
            for text in texts { _ = tokenizer.encode(text, maximumLength: 16) }
        }
    }

    private static let vocabulary = Array(
        (#"{"<|startoftext|>": 0, "<|endoftext|>": 1, "m": 2, "a": 3, "k": 4, "e": 5, "</w>": 6, "ma": 7, "mak": 8, "e</w>": 9, "#
            + #""!": 10, "Ġ": 11}"#).utf8)

    private static let bytePair = Array(
        (#"{"added_tokens": [{"id": 1, "content": "<|endoftext|>", "special": true}], "model": {"type": "BPE", "#
            + #""end_of_word_suffix": "</w>", "vocab": {"<|startoftext|>": 0, "<|endoftext|>": 1, "m": 2, "a": 3, "ma": 4, "#
            + #""é</w>": 2147483647}, "merges": ["m a", ["m", "a"]]}}"#).utf8)

    private static let tokenizerConfiguration = Array(
        (#"{"model_max_length": 77, "eos_token": {"content": "<|endoftext|>", "lstrip": true}, "extra_ids": 3, "#
            + #""added_tokens_decoder": {"2147483647": {"content": "x"}, "3": {"content": "a", "normalized": true}}}"#)
            .utf8)

    private static let unigram = Array(
        (#"{"added_tokens": [{"id": 2, "content": "</s>", "special": true}, {"id": 9, "content": "<extra_id_0>", "#
            + #""lstrip": true, "rstrip": true}], "normalizer": {"type": "Sequence", "normalizers": [{"type": "Replace", "#
            + #""pattern": {"Regex": " {2,}"}, "content": " "}, {"type": "Strip"}, {"type": "NFC"}, {"type": "Precompiled", "#
            + #""precompiled_charsmap": "BAAAAAAAAABhAA=="}]}, "pre_tokenizer": {"type": "Sequence", "pretokenizers": "#
            + #"[{"type": "WhitespaceSplit"}, {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first"}]}, "#
            + #""model": {"type": "Unigram", "unk_id": 0, "byte_fallback": false, "vocab": [["<unk>", 0], ["<pad>", 0], "#
            + #"["</s>", 0], ["▁", -2.5], ["a", -3], ["▁make", -1], ["s", -1e300]]}}"#).utf8)

    /// A sentencepiece model of a few pieces: text, score, type.
    private static let pieces: [UInt8] = {
        func field(_ number: UInt8, _ content: [UInt8]) -> [UInt8] {
            [number << 3 | 2, UInt8(content.count)] + content
        }
        func piece(_ text: String, _ type: UInt8) -> [UInt8] {
            field(1, field(1, Array(text.utf8)) + [2 << 3 | 5, 0, 0, 0x80, 0xBF, 3 << 3, type])
        }
        let charsmap: [UInt8] = [4, 0, 0, 0, 0, 0, 0, 0, 0x61, 0]
        return piece("<unk>", 2) + piece("<pad>", 3) + piece("</s>", 3) + piece("\u{2581}", 1) + piece("a", 1)
            + piece("x", 4) + piece("<0x0A>", 6) + field(2, [3 << 3, 1]) + field(3, field(2, charsmap) + [3 << 3, 1])
    }()
}
