import Foundation
import Models
import NeuralNet
import TensorCore
import TensorIO
import TestSupport
import Testing

/// The CLIP text encoder against transformers, element by element, and the errors of folders that are not right.
@Suite struct CLIPTextEncoderTests {
    private let fill = Fixtures.path("tiny-random-fill/text_encoder")
    private let variant = Fixtures.path("encoder-variant/text_encoder")

    private func values(_ name: String) throws -> SafetensorsFile { try SafetensorsFile(path: Fixtures.path(name)) }

    @Test func hiddenStatesAreThoseOfTransformers() throws {
        let (encoder, values) = (try CLIPTextEncoder.load(folder: fill), try values("text.safetensors"))
        let (hidden, pooled) = encoder(try values.tensor("clip.ids"))
        let errors = (
            largestDifference(hidden, try values.tensor("clip.last_hidden_state")),
            largestDifference(pooled, try values.tensor("clip.pooled"))
        )
        print("clip: largest errors \(errors)")
        #expect(errors.0 <= 1e-4 && errors.1 <= 1e-4)
    }

    @Test func bfloat16IsCloseToFloat32() throws {
        let (encoder, values) = (try CLIPTextEncoder.load(folder: fill), try values("text.safetensors"))
        let ids = try values.tensor("clip.ids")
        let (exact, rounded) = (encoder(ids), encoder(ids, computeType: .bfloat16))
        #expect(rounded.hidden.dtype == .float32 && rounded.pooled.dtype == .float32)
        for (a, b) in [(rounded.hidden, exact.hidden), (rounded.pooled, exact.pooled)] {
            let error = relativeDistance(a, b)
            print("clip bfloat16: relative distance \(error)")
            #expect(error > 0 && error <= 1e-2)
        }
    }

    /// Keys without `text_model.`, the exact GELU, the older rule for the end token, tensors to be passed over.
    @Test func otherProportionsAndActivationToo() throws {
        let (encoder, values) = (try CLIPTextEncoder.load(folder: variant), try values("encoder-variant.safetensors"))
        #expect(encoder.configuration.hiddenAct == .gelu && encoder.configuration.eosTokenID == 2)
        let (hidden, pooled) = encoder(try values.tensor("clip.ids"))
        let errors = (
            largestDifference(hidden, try values.tensor("clip.hidden")),
            largestDifference(pooled, try values.tensor("clip.pooled"))
        )
        print("clip variant: largest errors \(errors)")
        #expect(errors.0 <= 2e-5 && errors.1 <= 2e-5)
    }

    @Test func thePooledStateIsThatOfTheFirstEndToken() throws {
        let ids = try values("encoder-variant.safetensors").tensor("clip.ids")
        try withChangedModel(variant, configuration: { $0["eos_token_id"] = 89 }) { folder in
            let (hidden, pooled) = try CLIPTextEncoder.load(folder: folder)(ids)
            for (row, end) in [4, 10, 7].enumerated() {
                let expected = hidden.sliced(axis: 0, row..<row + 1).sliced(axis: 1, end..<end + 1).floats
                #expect(pooled.sliced(axis: 0, row..<row + 1).floats == expected)
            }
        }
        // Without the token anywhere, transformers takes the first place.
        try withChangedModel(variant, configuration: { $0["eos_token_id"] = 1 }) { folder in
            let (hidden, pooled) = try CLIPTextEncoder.load(folder: folder)(ids)
            #expect(pooled.floats == hidden.sliced(axis: 1, 0..<1).floats)
        }
    }

    @Test func laterTokensDoNotReachEarlierOnes() throws {
        let encoder = try CLIPTextEncoder.load(folder: variant)
        let (a, b) = (Tensor([5, 6, 7, 8] as [Int32], [1, 4]), Tensor([5, 6, 9, 9] as [Int32], [1, 4]))
        let (first, second) = (encoder(a).hidden, encoder(b).hidden)
        #expect(first.sliced(axis: 1, 0..<2).floats == second.sliced(axis: 1, 0..<2).floats)
        #expect(first.sliced(axis: 1, 2..<4).floats != second.sliced(axis: 1, 2..<4).floats)
    }

    @Test func keysWithAndWithoutThePrefixGiveTheSame() throws {
        let ids = try values("encoder-variant.safetensors").tensor("clip.ids")
        let expected = try CLIPTextEncoder.load(folder: variant)(ids).hidden.floats
        try withChangedModel(
            variant,
            tensors: { tensors in
                let inside = tensors.filter { $0.key != "text_projection.weight" }
                for (key, value) in inside {
                    tensors[key] = nil
                    tensors["text_model.\(key)"] = value
                }
            }
        ) { folder in
            let found = try CLIPTextEncoder.load(folder: folder)(ids).hidden.floats
            #expect(found == expected)
        }
    }

    @Test func oneErrorNamesEveryFault() throws {
        try expectEveryTensorFault(
            from: variant, gone: "encoder.layers.2.mlp.fc1.weight",
            extra: "encoder.layers.3.mlp.fc1.weight",
            bent: ("embeddings.position_embedding.weight", [16, 24], [77, 24])
        ) { _ = try CLIPTextEncoder.load(folder: $0) }
    }

    @Test(arguments: [
        ConfigurationFault("architectures", "[\"CLIPVisionModel\"]", "CLIPTextModel or CLIPTextModelWithProjection"),
        ConfigurationFault("model_type", "\"clip\"", "'clip_text_model'"),
        ConfigurationFault("hidden_act", "\"gelu_new\"", "'quick_gelu' or 'gelu'"),
        ConfigurationFault("hidden_act", nil, "a text"),
        ConfigurationFault("hidden_size", nil, "a whole number"),
        ConfigurationFault("num_attention_heads", "5", "a divisor of hidden_size, 24"),
        ConfigurationFault("eos_token_id", nil, "a whole number"),
        ConfigurationFault("eos_token_id", "90", "an id below vocab_size, 90"),
        ConfigurationFault("layer_norm_eps", "-1", "a positive number"),
    ])
    func faultyConfigurationsAreNamed(_ fault: ConfigurationFault) throws {
        try fault.expectError(from: variant) { _ = try CLIPTextEncoder.load(folder: $0) }
    }

    @Test func parametersBearTheNamesOfTheFile() throws {
        let archive = try openTensorArchive(fill)
        #expect(
            try CLIPTextEncoder.load(folder: fill).namedParameters().map(\.name).sorted() == archive.names.sorted())
    }
}
