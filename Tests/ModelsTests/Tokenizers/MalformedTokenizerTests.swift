import Foundation
import Models
import TensorIO
import TestSupport
import Testing

@Suite struct MalformedTokenizerTests {
    /// Reading must fail with exactly this line, but for the folder.
    private func expectFault(
        _ line: String, _ folder: URL, sourceLocation: SourceLocation = #_sourceLocation, _ body: () throws -> Void
    ) {
        let error = #expect(throws: FileError.self, sourceLocation: sourceLocation) { try body() }
        let found = error?.description.replacing(folder.path, with: "FOLDER")
        #expect(found == line, sourceLocation: sourceLocation)
    }

    private static let vocabulary =
        #"{"a": 0, "b": 1, "b</w>": 2, "ab</w>": 3, "<|startoftext|>": 4, "<|endoftext|>": 5}"#

    private func expectCLIPFault(
        _ line: String, vocabulary: String? = vocabulary, merges: String? = "a b</w>\n", configuration: String? = nil,
        tokenizer: String? = nil, sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        try withScratchFolder { folder in
            if let vocabulary { try folder.write("vocab.json", vocabulary) }
            if let merges { try folder.write("merges.txt", merges) }
            if let configuration { try folder.write("tokenizer_config.json", configuration) }
            if let tokenizer { try folder.write("tokenizer.json", tokenizer) }
            expectFault(line, folder, sourceLocation: sourceLocation) { _ = try CLIPTokenizer(folder: folder.path) }
        }
    }

    @Test func theSmallVocabularyIsSound() throws {
        try withScratchFolder { folder in
            try folder.write("vocab.json", Self.vocabulary)
            try folder.write("merges.txt", "a b</w>\n")
            #expect(try CLIPTokenizer(folder: folder.path).tokenIDs(of: "ab") == [3])
        }
    }

    @Test(arguments: ["\n", "\r\n", "\r"])
    func mergesEndTheirLinesInAnyWay(end: String) throws {
        try withScratchFolder { folder in
            try folder.write("vocab.json", "\u{FEFF}" + Self.vocabulary)
            try folder.write("merges.txt", "\u{FEFF}#version: 0.2" + end + "a b</w>" + end)
            #expect(try CLIPTokenizer(folder: folder.path).tokenIDs(of: "ab") == [3])
        }
    }

    @Test func clipFilesThatAreMissing() throws {
        try expectCLIPFault("FOLDER/vocab.json: expected a file, found no such file", vocabulary: nil)
        try expectCLIPFault("FOLDER/merges.txt: expected a file, found no such file", merges: nil)
        try withScratchFolder { folder in
            try FileManager.default.createDirectory(
                at: folder.appending(path: "vocab.json"), withIntermediateDirectories: true)
            expectFault("FOLDER/vocab.json: expected a file, found a folder", folder) {
                _ = try CLIPTokenizer(folder: folder.path)
            }
        }
    }

    @Test func clipVocabulariesThatAreNone() throws {
        try expectCLIPFault(
            "FOLDER/vocab.json: byte 7: expected JSON: ',' or '}', found the end of the file", vocabulary: #"{"a": 0"#)
        try expectCLIPFault(
            #"FOLDER/vocab.json: byte 4: expected JSON: '"' at the end of a string, found the end of the file"#,
            vocabulary: #"{"ab"#)
        try expectCLIPFault(
            "FOLDER/vocab.json: expected an object of pieces and ids, found an array of 0", vocabulary: "[]")
        try expectCLIPFault(
            "FOLDER/vocab.json: a: expected a token id (a whole number from 0 to 16777215), found 'x'",
            vocabulary: #"{"a": "x"}"#)
        try expectCLIPFault(
            "FOLDER/vocab.json: a: expected a token id (a whole number from 0 to 16777215), found 1.5",
            vocabulary: #"{"a": 1.5}"#)
        try expectCLIPFault(
            "FOLDER/vocab.json: bos_token: expected '<|startoftext|>' in the vocabulary, found no such token",
            vocabulary: #"{"a": 0}"#)
    }

    @Test func clipMergesThatTheVocabularyDoesNotKnow() throws {
        try expectCLIPFault(
            "FOLDER/merges.txt: line 3: expected pieces of the vocabulary, found 'c</w>'",
            merges: "#version: 0.2\na b</w>\na c</w>\n")
        try expectCLIPFault(
            "FOLDER/merges.txt: line 2: expected pieces of the vocabulary, found 'ab'", merges: "a b</w>\na b\n")
        try expectCLIPFault(
            "FOLDER/merges.txt: line 1: expected two pieces with a space between, found 'ab'", merges: "ab\n")
        try expectCLIPFault(
            "FOLDER/merges.txt: line 1: expected two pieces with a space between, found 'a b c'", merges: "a b c\n")
        try withScratchFolder { folder in
            try folder.write("vocab.json", Self.vocabulary)
            try folder.write("merges.txt", [0x61, 0x20, 0xFF])
            let found = "the byte FF, 'ÿ' of Windows-1252 (cp1252) (save the file as UTF-8)"
            expectFault("FOLDER/merges.txt: line 1, column 3: expected text in UTF-8, found \(found)", folder) {
                _ = try CLIPTokenizer(folder: folder.path)
            }
        }
    }

    @Test func configurationsThatAreWrong() throws {
        try expectCLIPFault(
            "FOLDER/vocab.json: pad_token: expected '<pad>' in the vocabulary, found no such token",
            configuration: #"{"pad_token": "<pad>"}"#)
        try expectCLIPFault(
            "FOLDER/tokenizer_config.json: model_max_length: expected a number of tokens, at least 2, found 1",
            configuration: #"{"model_max_length": 1}"#)
        try expectCLIPFault(
            "FOLDER/tokenizer_config.json: eos_token: expected a token (a string or an object), found 3",
            configuration: #"{"eos_token": 3}"#)
        try expectCLIPFault(
            "FOLDER/tokenizer_config.json: added_tokens_decoder.x: expected a token id as the key, found x",
            configuration: #"{"added_tokens_decoder": {"x": {"content": "<a>"}}}"#)
        try expectCLIPFault(
            "FOLDER/tokenizer_config.json: added_tokens_decoder.7.content: expected the token's text, found nothing",
            configuration: #"{"added_tokens_decoder": {"7": {}}}"#)
        try expectCLIPFault(
            "FOLDER/tokenizer_config.json: byte 1: expected JSON: a key, found 't'", configuration: "{true}")
    }

    @Test func clipTokenizerFilesOfAnotherKind() throws {
        try expectCLIPFault(
            "FOLDER/tokenizer.json: model: expected a model of type 'BPE', found 'Unigram'", vocabulary: nil,
            merges: nil, tokenizer: #"{"model": {"type": "Unigram"}}"#)
        try expectCLIPFault(
            "FOLDER/tokenizer.json: model: expected an end_of_word_suffix of '</w>' (a CLIP vocabulary), found ''",
            vocabulary: nil, merges: nil, tokenizer: #"{"model": {"type": "BPE"}}"#)
        try expectCLIPFault(
            "FOLDER/tokenizer.json: model.merges[1]: expected pieces of the vocabulary, found 'c'", vocabulary: nil,
            merges: nil,
            tokenizer: """
                {"model": {"type": "BPE", "end_of_word_suffix": "</w>", "vocab": \(Self.vocabulary),
                 "merges": ["a b</w>", ["a", "c"]]}}
                """)
    }

    private func expectT5Fault(
        _ line: String, json: String, sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        try withScratchFolder { folder in
            try folder.write("tokenizer.json", json)
            expectFault(line, folder, sourceLocation: sourceLocation) { _ = try T5Tokenizer(folder: folder.path) }
        }
    }

    private func model(_ more: String = "") -> String {
        #"{"type": "Unigram", "unk_id": 2, "vocab": [["<pad>", 0], ["</s>", 0], ["<unk>", 0], ["a", -1.5]]\#(more)}"#
    }

    @Test func t5FilesThatAreMissing() throws {
        try withScratchFolder { folder in
            expectFault("FOLDER: expected a folder with tokenizer.json or spiece.model, found neither", folder) {
                _ = try T5Tokenizer(folder: folder.path)
            }
        }
    }

    @Test func t5ModelsOfTokenizerJSONThatAreWrong() throws {
        try expectT5Fault(
            "FOLDER/tokenizer.json: model: expected the model of the tokenizer, found nothing", json: "{}")
        try expectT5Fault(
            "FOLDER/tokenizer.json: model: expected a model of type 'Unigram', found 'BPE'",
            json: #"{"model": {"type": "BPE"}}"#)
        try expectT5Fault(
            "FOLDER/tokenizer.json: model.vocab: expected an array of [piece, score], found an object of 0",
            json: #"{"model": {"type": "Unigram", "vocab": {}}}"#)
        try expectT5Fault(
            "FOLDER/tokenizer.json: model.vocab[1]: expected [piece, score], found an array of 1",
            json: #"{"model": {"type": "Unigram", "vocab": [["a", 0], ["b"]]}}"#)
        try expectT5Fault(
            "FOLDER/tokenizer.json: model.unk_id: expected an id below the 1 of the vocabulary, found 1",
            json: #"{"model": {"type": "Unigram", "unk_id": 1, "vocab": [["a", 0]]}}"#)
        try expectT5Fault(
            "FOLDER/tokenizer.json: model.unk_id: expected the id of the unknown token, found nothing",
            json: #"{"model": {"type": "Unigram", "unk_id": null, "vocab": [["a", 0]]}}"#)
        try expectT5Fault(
            "FOLDER/tokenizer.json: eos_token: expected '</s>' in the vocabulary, found no such token",
            json: #"{"model": {"type": "Unigram", "unk_id": 0, "vocab": [["a", 0]]}}"#)
        try expectT5Fault(
            "FOLDER/tokenizer.json: model.byte_fallback: expected a piece for every byte, "
                + "found no '<0x00>' in the vocabulary", json: #"{"model": \#(model(#", "byte_fallback": true"#))}"#)
        try expectT5Fault(
            "FOLDER/tokenizer.json: byte 9: expected JSON: a value, found the end of the file", json: #"{"model":"#)
    }

    @Test func t5PartsOfTokenizerJSONThatAreWrong() throws {
        func fault(_ part: String, _ key: String, _ rest: String) throws {
            try expectT5Fault(
                "FOLDER/tokenizer.json: \(key): \(rest)", json: #"{"model": \#(model()), \#(part)}"#)
        }
        try fault(
            #""normalizer": {"type": "Precompild"}"#, "normalizer",
            "expected a normalizer among Sequence, Precompiled, Replace, Strip, Prepend, Lowercase, NFC, "
                + "found 'Precompild' (did you mean 'Precompiled'?)")
        try fault(
            #""normalizer": {"type": "Precompiled", "precompiled_charsmap": "*"}"#, "normalizer.precompiled_charsmap",
            "expected a character map in base64, found '*'")
        try fault(
            #""normalizer": {"type": "Replace", "pattern": {"Regex": "a|b"}, "content": ""}"#,
            "normalizer.pattern.Regex", #"expected one character or \s, followed by + or {n,}, found 'a|b'"#)
        try fault(
            #""pre_tokenizer": {"type": "ByteLevel"}"#, "pre_tokenizer",
            "expected a pre-tokenizer among Sequence, WhitespaceSplit, Metaspace, found 'ByteLevel'")
        try fault(
            #""pre_tokenizer": {"type": "Metaspace", "prepend_scheme": "last"}"#, "pre_tokenizer.prepend_scheme",
            "expected always, first or never, found 'last'")
        try fault(
            #""pre_tokenizer": {"type": "Sequence", "pretokenizers": [{}]}"#, "pre_tokenizer.pretokenizers[0].type",
            "expected the part's type, found nothing")
        try fault(
            #""added_tokens": [{"id": -1, "content": "x"}]"#, "added_tokens[0].id",
            "expected a token id (a whole number from 0 to 16777215), found -1")
    }

    @Test func characterMapsThatAreBroken() throws {
        func fault(_ blob: [UInt8], _ rest: String, sourceLocation: SourceLocation = #_sourceLocation) throws {
            let text = Data(blob).base64EncodedString()
            try expectT5Fault(
                "FOLDER/tokenizer.json: normalizer.precompiled_charsmap: expected \(rest)",
                json: #"""
                    {"model": \#(model()),
                     "normalizer": {"type": "Precompiled", "precompiled_charsmap": "\#(text)"}}
                    """#, sourceLocation: sourceLocation)
        }
        try fault([1, 2], "a character map (trie size, trie, texts), found 2 bytes")
        try fault(
            [0, 0, 0, 0, 0, 0], "a trie of whole 4-byte units within 2 bytes, found a size of 0 bytes")
        try fault(
            [6, 0, 0, 0] + [UInt8](repeating: 0, count: 8),
            "a trie of whole 4-byte units within 8 bytes, found a size of 6 bytes")
        try fault(
            [0xFC, 0xFF, 0xFF, 0xFF] + [UInt8](repeating: 0, count: 8),
            "a trie of whole 4-byte units within 8 bytes, found a size of 4294967292 bytes")
        try fault([4, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0], "replacement texts in UTF-8, found other bytes")
        try fault(
            [4, 0, 0, 0, 5, 0, 0, 0x80, 0x61, 0],
            "replacements that begin within 2 bytes of text, found one at byte 5 (unit 0)")
        try fault(
            [4, 0, 0, 0, 0, 0xFC, 0, 0, 0x61, 0], "trie links within 1 units, found unit 0 leading to 63")
    }

    private func expectSentencePieceFault(
        _ rest: String, _ bytes: [UInt8], sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        try withScratchFolder { folder in
            try folder.write("spiece.model", bytes)
            expectFault("FOLDER/spiece.model: \(rest)", folder, sourceLocation: sourceLocation) {
                _ = try T5Tokenizer(folder: folder.path)
            }
        }
    }

    /// A piece of a model: field 1, its text, score and type.
    private func piece(_ text: String, _ type: UInt8 = 1, score: Float = -1) -> [UInt8] {
        let text = Array(text.utf8)
        let score = withUnsafeBytes(of: score.bitPattern.littleEndian) { Array($0) }
        let body = [0x0A, UInt8(text.count)] + text + [0x15] + score + [0x18, type]
        return [0x0A, UInt8(body.count)] + body
    }

    @Test func theSmallSentencePieceModelIsSound() throws {
        try withScratchFolder { folder in
            try folder.write(
                "spiece.model", piece("<pad>", 3) + piece("</s>", 3) + piece("<unk>", 2) + piece("\u{2581}a"))
            #expect(try T5Tokenizer(folder: folder.path).tokenIDs(of: "a b") == [3, 2])
        }
    }

    @Test func sentencePieceModelsThatAreWrong() throws {
        let base = piece("<pad>", 3) + piece("</s>", 3) + piece("<unk>", 2)
        let unknown = piece("<unk>", 2)
        try expectSentencePieceFault("pieces: expected a sentencepiece model with pieces, found none", [])
        try expectSentencePieceFault(
            "trainer_spec.model_type: expected 1 (unigram), found 2 (BPE)", base + [0x12, 2, 0x18, 2])
        try expectSentencePieceFault("pieces: expected a piece of type unknown, found none", piece("a"))
        try expectSentencePieceFault(
            "pieces[1].type: expected one unknown piece, found a second one after pieces[0]", unknown + piece("x", 2))
        try expectSentencePieceFault(
            "pieces[4]: expected each piece once, found 'a' of pieces[3] again", base + piece("a") + piece("a"))
        try expectSentencePieceFault("pieces[0].piece: expected a text, found an empty one", piece(""))
        try expectSentencePieceFault("pieces[0].type: expected a type from 1 to 6, found 9", piece("a", 9))
        try expectSentencePieceFault(
            "pieces[0].score: expected a finite number, found inf", piece("a", score: .infinity))
        try expectSentencePieceFault(
            "pieces[0].piece: expected a text in UTF-8, found other bytes", [0x0A, 3, 0x0A, 1, 0xFF])
        try expectSentencePieceFault(
            "pieces[0]: expected a text, a float and a type in fields 1 to 3, found another kind of value in field 2",
            [0x0A, 2, 0x10, 1])
        try expectSentencePieceFault("pieces[0]: expected a message, found a number", [0x08, 1])
        try expectSentencePieceFault(
            "eos_token: expected '</s>' in the vocabulary, found no such token", unknown)
        try expectSentencePieceFault(
            "trainer_spec.byte_fallback: expected a piece for every byte, found no '<0x00>'",
            base + [0x12, 3, 0x98, 0x02, 1])
        try expectSentencePieceFault(
            "normalizer_spec.precompiled_charsmap: expected a character map (trie size, trie, texts), found 3 bytes",
            base + [0x1A, 5, 0x12, 3, 1, 2, 3])
    }

    @Test func protocolBuffersThatAreBroken() throws {
        try expectSentencePieceFault(
            "byte 1: expected a protocol buffer: a number, found the end of the file", [0x0A])
        try expectSentencePieceFault(
            "byte 1: expected a protocol buffer: a length within the 1 bytes that follow, found 5", [0x0A, 5, 0x0A])
        try expectSentencePieceFault(
            "byte 1: expected a protocol buffer: a length within the 0 bytes that follow, found 18446744073709551615",
            [0x0A, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01])
        try expectSentencePieceFault(
            "byte 1: expected a protocol buffer: a number of at most 10 bytes, found a longer one",
            [0x0A] + [UInt8](repeating: 0xFF, count: 12))
        try expectSentencePieceFault(
            "byte 0: expected a protocol buffer: a field of wire type 0, 1, 2 or 5, found type 3", [0x0B])
        try expectSentencePieceFault(
            "byte 0: expected a protocol buffer: a field number from 1 to 536870911, found 0", [0x02, 0])
        try expectSentencePieceFault(
            "byte 3: expected a protocol buffer: 4 bytes, found 1", [0x0A, 2, 0x15, 0])
        try expectSentencePieceFault(
            "byte 3: expected a protocol buffer: a length within the 0 bytes that follow, found 200",
            [0x0A, 3, 0x0A, 0xC8, 0x01])
    }

    /// The fixture's own model, cut at many places: never a crash, always a typed error or a whole model.
    @Test func truncatedModelsNeverTrap() throws {
        let whole = [UInt8](try Data(contentsOf: URL(filePath: TokenizerFixture.t5Folder + "/spiece.model")))
        try withScratchFolder { folder in
            for count in Array(stride(from: 0, to: 12_000, by: 97)) + [whole.count / 2, whole.count - 1] {
                try folder.write("spiece.model", Array(whole.prefix(count)))
                do {
                    _ = try T5Tokenizer(folder: folder.path)
                } catch let error as FileError {
                    #expect(error.path.hasSuffix("spiece.model"))
                }
            }
        }
    }

    /// Single bytes of the character map changed: reading either refuses it or the text is still encoded.
    @Test func damagedCharacterMapsNeverTrap() throws {
        let fixture = try TokenizerFixture()
        let whole = [UInt8](try Data(contentsOf: URL(filePath: TokenizerFixture.t5Folder + "/spiece.model")))
        let place = try #require(Data(whole).range(of: fixture.charsmap))
        var generator = LinearCongruential(state: 1)
        var sound = 0
        try withScratchFolder { folder in
            for _ in 0..<60 {
                var damaged = whole
                for _ in 0..<20 { damaged[Int.random(in: place, using: &generator)] = .random(in: 0...255) }
                try folder.write("spiece.model", damaged)
                do {
                    let tokenizer = try T5Tokenizer(folder: folder.path)
                    for text in fixture.strings { _ = tokenizer.encode(text) }
                    sound += 1
                } catch is FileError {}
            }
        }
        #expect(sound < 60, "no damage was ever noticed")
    }
}

/// Knuth's MMIX generator: the same damage in every run.
private struct LinearCongruential: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return state ^ state >> 33
    }
}
