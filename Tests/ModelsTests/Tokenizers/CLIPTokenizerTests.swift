import Foundation
import Models
import TensorCore
import TensorIO
import TestSupport
import Testing

@Suite struct CLIPTokenizerTests {
    /// The vocabulary's bos and eos ids.
    private let bos: Int32 = 1092
    private let eos: Int32 = 1093

    @Test func promptsAreThoseOfTheReferencePipeline() throws {
        let file = try SafetensorsFile(path: Fixtures.path("text.safetensors"))
        let prompts = try JSONDecoder().decode([String].self, from: Data(try #require(file.metadata["prompts"]).utf8))
        let expected = try file.tensor("clip.ids").elements(as: Int32.self)
        let tokenizer = try CLIPTokenizer(folder: TokenizerFixture.clipFolder)
        #expect(prompts.count == 4)
        for (index, prompt) in prompts.enumerated() {
            #expect(tokenizer.encode(prompt) == Array(expected[77 * index..<77 * (index + 1)]), "\(prompt)")
        }
    }

    @Test func everyStringOfEveryConfigurationGivesTheIDsOfTransformers() throws {
        let fixture = try TokenizerFixture()
        #expect(fixture.strings.count > 150 && fixture.clip.count == 6)
        for variant in fixture.clip {
            try withScratchFolder { folder in
                for name in ["vocab.json", "merges.txt"] {
                    try FileManager.default.copyItem(
                        atPath: "\(TokenizerFixture.clipFolder)/\(name)", toPath: folder.appending(path: name).path)
                }
                let configuration = try TokenizerFixture.cast(variant.parts["config"], [String: Any].self)
                try JSONSerialization.data(withJSONObject: configuration)
                    .write(to: folder.appending(path: "tokenizer_config.json"))
                let tokenizer = try CLIPTokenizer(folder: folder.path)
                #expect(Int(tokenizer.padTokenID) == variant.parts["pad"] as? Int)
                #expect(tokenizer.bosTokenID == bos && tokenizer.eosTokenID == eos)
                for (text, ids) in zip(fixture.strings, variant.ids) {
                    #expect(tokenizer.tokenIDs(of: text) == ids, "\(variant.name): \(text.debugDescription)")
                }
            }
        }
    }

    @Test func longPromptsKeepTheEndTokenAndShortOnesArePadded() throws {
        let tokenizer = try CLIPTokenizer(folder: TokenizerFixture.clipFolder)
        let text = String(repeating: "the scene ", count: 60)
        let all = tokenizer.tokenIDs(of: text)
        #expect(all.count == 120)
        #expect(tokenizer.encode(text) == [bos] + all.prefix(75) + [eos])
        #expect(tokenizer.encode(text, maximumLength: 5) == [bos] + all.prefix(3) + [eos])
        #expect(tokenizer.encode(text, maximumLength: 2) == [bos, eos])
        #expect(tokenizer.encode("", maximumLength: 4) == [bos, eos, eos, eos])
        #expect(tokenizer.encode(text, maximumLength: 200).count == 200)
        #expect(tokenizer.maximumLength == 77 && tokenizer.vocabularySize == 1094)
    }

    /// transformers 5 saves a tokenizer.json and nothing else.
    @Test func tokenizerJSONAloneIsEnough() throws {
        let fixture = try TokenizerFixture()
        try withScratchFolder { folder in
            try FileManager.default.copyItem(
                atPath: TokenizerFixture.clipFolder + "/tokenizer.json",
                toPath: folder.appending(path: "tokenizer.json").path)
            let tokenizer = try CLIPTokenizer(folder: folder.path)
            for (text, ids) in zip(fixture.strings, fixture.clip[0].ids) {
                #expect(tokenizer.tokenIDs(of: text) == ids, "\(text.debugDescription)")
            }
        }
    }

    @Test func olderFoldersNameTheirTokensInASpecialTokensMap() throws {
        try withScratchFolder { folder in
            for name in ["vocab.json", "merges.txt"] {
                try FileManager.default.copyItem(
                    atPath: "\(TokenizerFixture.clipFolder)/\(name)", toPath: folder.appending(path: name).path)
            }
            try folder.write("special_tokens_map.json", #"{"pad_token": {"content": "!"}}"#)
            #expect(try CLIPTokenizer(folder: folder.path).padTokenID == 0)
            // What tokenizer_config.json says goes first; a huge length there means that there is no limit.
            try folder.write(
                "tokenizer_config.json", #"{"pad_token": "\"", "model_max_length": 1000000000000000019884624838656}"#)
            let tokenizer = try CLIPTokenizer(folder: folder.path)
            #expect(tokenizer.padTokenID == 1 && tokenizer.maximumLength == 77)
        }
    }

    /// A vocabulary need not have every byte; those that it lacks are unknown, as in `tokenizers`.
    @Test func bytesWithoutAPieceAreTheUnknownToken() throws {
        try withScratchFolder { folder in
            try folder.write(
                "vocab.json", #"{"a": 0, "b</w>": 1, "ab</w>": 2, "<|startoftext|>": 3, "<|endoftext|>": 4}"#)
            try folder.write("merges.txt", "#version: 0.2\r\na b</w>\r\n")
            let tokenizer = try CLIPTokenizer(folder: folder.path)
            #expect(tokenizer.tokenIDs(of: "AB b aab c") == [2, 1, 0, 2, 4])
        }
    }

    /// One word of a hundred thousand letters takes n log n merges: n² would take hours.
    @Test func aHugeWordIsDoneInAMoment() throws {
        let tokenizer = try CLIPTokenizer(folder: TokenizerFixture.clipFolder)
        let count = tokenizer.tokenIDs(of: String(repeating: "scene", count: 20_000)).count
        #expect(count > 20_000, "\(count) tokens")
    }
}
