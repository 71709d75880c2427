import Foundation
import Models
import TensorCore
import TensorIO
import TestSupport
import Testing

/// Prompts to the transformer's text inputs, against transformers' tokenizers and encoders together.
@Suite struct TextEncodersTests {
    private let fill = Fixtures.path("tiny-random-fill")

    @Test func promptsBecomeWhatTransformersMakesOfThem() throws {
        let values = try SafetensorsFile(path: Fixtures.path("text.safetensors"))
        let prompts = try JSONDecoder().decode([String].self, from: Data(values.metadata["prompts"]!.utf8))
        let encoders = try PipelineFolder(path: fill).loadTextEncoders()
        let (text, pooled) = encoders.encode(prompts, maximumLength: 512)
        #expect(text.shape == [4, 512, 64] && pooled.shape == [4, 48])
        let expected = try values.tensor("t5.last_hidden_state")
        let errors = (
            largestDifference(text.sliced(axis: 1, 0..<expected.shape[1]), expected),
            largestDifference(pooled, try values.tensor("clip.pooled"))
        )
        print("text encoders: largest errors \(errors)")
        #expect(errors.0 <= 1e-4 && errors.1 <= 1e-4)
    }

    @Test func theLengthConcernsT5Alone() throws {
        let encoders = try PipelineFolder(path: fill).loadTextEncoders()
        let (short, long) = (
            encoders.encode(["make the sky pink"], maximumLength: 24),
            encoders.encode(["make the sky pink"], maximumLength: 40)
        )
        #expect(short.text.shape == [1, 24, 64] && long.text.shape == [1, 40, 64])
        #expect(short.pooled.floats == long.pooled.floats)
        // Padding is seen as text: more of it changes every token.
        #expect(largestDifference(short.text, long.text.sliced(axis: 1, 0..<24)) > 1e-4)
    }

    @Test func theAutoencoderIsLoadedFromItsPart() throws {
        #expect(try PipelineFolder(path: fill).loadVAE().configuration.latentChannels == 16)
    }

    @Test func tokenizersThatKnowMoreThanTheirEncodersAreRefused() throws {
        let variant = Fixtures.path("encoder-variant")
        let clipTokenizer = try CLIPTokenizer(folder: fill + "/tokenizer")
        let t5Tokenizer = try T5Tokenizer(folder: fill + "/tokenizer_2")
        for (name, clip, t5) in [
            ("tokenizer", variant + "/text_encoder", fill + "/text_encoder_2"),
            ("tokenizer_2", fill + "/text_encoder", variant + "/text_encoder_2"),
        ] {
            let error = #expect(throws: FileError.self) {
                _ = try TextEncoders(
                    path: fill, clipTokenizer: clipTokenizer, clip: CLIPTextEncoder.load(folder: clip),
                    t5Tokenizer: t5Tokenizer, t5: T5Encoder.load(folder: t5))
            }
            #expect(error?.key == name, "\(error?.description ?? "")")
        }
    }
}
