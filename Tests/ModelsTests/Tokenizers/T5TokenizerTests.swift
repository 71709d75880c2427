import Foundation
import Models
import TensorCore
import TensorIO
import TestSupport
import Testing

@Suite struct T5TokenizerTests {
    @Test(arguments: ["tokenizer.json", "spiece.model"])
    func promptsAreThoseOfTheReferencePipeline(name: String) throws {
        let file = try SafetensorsFile(path: Fixtures.path("text.safetensors"))
        let prompts = try JSONDecoder().decode([String].self, from: Data(try #require(file.metadata["prompts"]).utf8))
        let expected = try file.tensor("t5.ids").elements(as: Int32.self)
        let folder = TokenizerFixture.t5Folder
        let tokenizer = try T5Tokenizer(file: "\(folder)/\(name)", folder: folder)
        #expect(prompts.count == 4)
        for (index, prompt) in prompts.enumerated() {
            #expect(tokenizer.encode(prompt) == Array(expected[512 * index..<512 * (index + 1)]), "\(prompt)")
        }
    }

    @Test func everyStringOfEveryLayoutGivesTheIDsOfTokenizers() throws {
        let fixture = try TokenizerFixture()
        #expect(fixture.t5.count == 7)
        for variant in fixture.t5 {
            try withScratchFolder { folder in
                let parts = try TokenizerFixture.cast(variant.parts["parts"], [String: Any].self)
                let path = try fixture.tokenizerJSON(parts, in: folder)
                let tokenizer = try T5Tokenizer(file: path, folder: folder.path)
                for (text, ids) in zip(fixture.strings, variant.ids) {
                    #expect(tokenizer.tokenIDs(of: text) == ids, "\(variant.name): \(text.debugDescription)")
                }
            }
        }
    }

    @Test func everyStringGivesTheIDsOfSentencePiece() throws {
        let fixture = try TokenizerFixture()
        try withScratchFolder { folder in
            // Nothing but the model, as in the oldest folders: the sentinels are counted down behind its pieces.
            try FileManager.default.copyItem(
                atPath: TokenizerFixture.t5Folder + "/spiece.model", toPath: folder.appending(path: "spiece.model").path
            )
            let tokenizer = try T5Tokenizer(folder: folder.path)
            for (text, ids) in zip(fixture.strings, fixture.sentencePiece) {
                #expect(tokenizer.tokenIDs(of: text) == ids, "\(text.debugDescription)")
            }
            #expect(tokenizer.tokenIDs(of: "<extra_id_0>") == [799] && tokenizer.tokenIDs(of: "<extra_id_99>") == [700])
            #expect(tokenizer.vocabularySize == 800 && tokenizer.maximumLength == 512)
        }
    }

    @Test func everyKindOfPieceAndFlagOfSentencePieceIsFollowed() throws {
        let fixture = try TokenizerFixture()
        #expect(fixture.sentencePieceVariants.count == 4)
        for variant in fixture.sentencePieceVariants {
            try withScratchFolder { folder in
                let text = try TokenizerFixture.cast(variant.parts["model"], String.self)
                let model = try #require(Data(base64Encoded: text))
                try folder.write("spiece.model", [UInt8](model))
                let tokenizer = try T5Tokenizer(folder: folder.path)
                for (text, ids) in zip(fixture.short, variant.ids) {
                    #expect(tokenizer.tokenIDs(of: text) == ids, "\(variant.name): \(text.debugDescription)")
                }
            }
        }
    }

    @Test func longPromptsKeepTheEndTokenAndShortOnesArePadded() throws {
        let tokenizer = try T5Tokenizer(folder: TokenizerFixture.t5Folder)
        let text = String(repeating: "the scene ", count: 400)
        let all = tokenizer.tokenIDs(of: text)
        #expect(all.count == 800)
        #expect(tokenizer.encode(text) == all.prefix(511) + [1])
        #expect(tokenizer.encode(text, maximumLength: 3) == all.prefix(2) + [1])
        #expect(tokenizer.encode(text, maximumLength: 1) == [1])
        #expect(tokenizer.encode("", maximumLength: 4) == [1, 0, 0, 0])
        #expect(tokenizer.eosTokenID == 1 && tokenizer.padTokenID == 0 && tokenizer.vocabularySize == 800)
    }

    @Test func theConfigurationChoosesSentinelsAndTokensOfASentencePieceModel() throws {
        try withScratchFolder { folder in
            try FileManager.default.copyItem(
                atPath: TokenizerFixture.t5Folder + "/spiece.model", toPath: folder.appending(path: "spiece.model").path
            )
            try folder.write(
                "tokenizer_config.json",
                """
                {"extra_ids": 2, "model_max_length": 64, "pad_token": {"content": "</s>"},
                 "added_tokens_decoder": {"705": {"content": "<mask>", "lstrip": true, "special": true}}}
                """)
            let tokenizer = try T5Tokenizer(folder: folder.path)
            #expect(tokenizer.tokenIDs(of: "<extra_id_0><extra_id_1>  <mask>") == [701, 700, 705])
            #expect(tokenizer.tokenIDs(of: "<extra_id_2>").count > 1)
            #expect(tokenizer.maximumLength == 64 && tokenizer.padTokenID == 1 && tokenizer.vocabularySize == 706)
        }
    }

    /// The two files of a folder with a character map agree on ordinary text.
    @Test func theJSONFileIsPreferred() throws {
        try withScratchFolder { folder in
            for name in ["tokenizer.json", "spiece.model", "tokenizer_config.json"] {
                try FileManager.default.copyItem(
                    atPath: "\(TokenizerFixture.t5Folder)/\(name)", toPath: folder.appending(path: name).path)
            }
            // The fixture's tokenizer.json counts its sentinels upwards and has no character map.
            let tokenizer = try T5Tokenizer(folder: folder.path)
            #expect(tokenizer.tokenIDs(of: "<extra_id_0>") == [700])
            try FileManager.default.removeItem(at: folder.appending(path: "tokenizer.json"))
            #expect(try T5Tokenizer(folder: folder.path).tokenIDs(of: "<extra_id_0>") == [799])
        }
    }
}
