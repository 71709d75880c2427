import Foundation
import Models
import NeuralNet
import TensorCore
import TensorIO
import TestSupport
import Testing

/// The T5 encoder against transformers, element by element, and the errors of folders that are not right.
@Suite struct T5EncoderTests {
    private let fill = Fixtures.path("tiny-random-fill/text_encoder_2")
    private let variant = Fixtures.path("encoder-variant/text_encoder_2")
    private let shared = "shared.weight"
    private let embedTokens = "encoder.embed_tokens.weight"

    private func values(_ name: String) throws -> SafetensorsFile { try SafetensorsFile(path: Fixtures.path(name)) }

    @Test func hiddenStatesAreThoseOfTransformers() throws {
        let (encoder, values) = (try T5Encoder.load(folder: fill), try values("text.safetensors"))
        let hidden = encoder(try values.tensor("t5.ids"))
        #expect(hidden.shape == [4, 512, 64] && hidden.dtype == .float32)
        let expected = try values.tensor("t5.last_hidden_state")
        let error = largestDifference(hidden.sliced(axis: 1, 0..<expected.shape[1]), expected)
        print("t5: largest error \(error)")
        #expect(error <= 1e-4)
    }

    @Test func otherProportionsAndFloat16FilesToo() throws {
        let (encoder, values) = (try T5Encoder.load(folder: variant), try values("encoder-variant.safetensors"))
        let error = largestDifference(encoder(try values.tensor("t5.ids")), try values.tensor("t5.hidden"))
        print("t5 variant: largest error \(error)")
        #expect(error <= 2e-5)
    }

    @Test func bfloat16IsCloseToFloat32() throws {
        let (encoder, values) = (try T5Encoder.load(folder: fill), try values("text.safetensors"))
        let ids = try values.tensor("t5.ids").sliced(axis: 1, 0..<96)
        let (exact, rounded) = (encoder(ids), encoder(ids, computeType: .bfloat16))
        #expect(rounded.dtype == .bfloat16)
        let error = relativeDistance(rounded, exact)
        print("t5 bfloat16: relative distance \(error)")
        #expect(error > 0 && error <= 1e-2)
    }

    @Test func bucketsAreThoseOfTransformers() throws {
        let expected = try values("encoder-variant.safetensors").tensor("t5.buckets").elements(as: Int32.self)
        let buckets = RelativePositionBuckets(count: 32, maxDistance: 128)
        for (place, bucket) in expected.enumerated() {
            #expect(buckets.bucket(offset: place - 600) == Int(bucket), "offset \(place - 600)")
        }
        // Row i, column j: the offset j - i.
        let table = buckets.table(length: 3).elements(as: Int32.self)
        #expect(table == [0, 17, 18, 1, 0, 17, 2, 1, 0])
        #expect(buckets.table(length: 0).shape == [0, 0])
    }

    @Test func bothNamesOfTheTokenTableAreAccepted() throws {
        let ids = try values("encoder-variant.safetensors").tensor("t5.ids")
        let expected = try T5Encoder.load(folder: variant)(ids).floats
        try withChangedModel(variant, tensors: { $0[shared] = $0[embedTokens] }) { folder in
            let found = try T5Encoder.load(folder: folder)(ids).floats
            #expect(found == expected)
        }
        try withChangedModel(variant, tensors: { $0[shared] = $0.removeValue(forKey: embedTokens) }) { folder in
            let found = try T5Encoder.load(folder: folder)(ids).floats
            #expect(found == expected)
        }
        try withChangedModel(variant, tensors: { $0[embedTokens] = nil }) { folder in
            let error = #expect(throws: WeightError.self) { _ = try T5Encoder.load(folder: folder) }
            #expect(error?.missing == [shared])
        }
    }

    @Test func differingTokenTablesAreRefused() throws {
        try withChangedModel(variant, tensors: { $0[shared] = $0[embedTokens]! * 2 }) { folder in
            let error = #expect(throws: FileError.self) { _ = try T5Encoder.load(folder: folder) }
            #expect(error?.key == embedTokens && error?.expected == "the same table as shared.weight")
        }
    }

    @Test func oneErrorNamesEveryFault() throws {
        try expectEveryTensorFault(
            from: variant, gone: "encoder.block.1.layer.0.SelfAttention.q.weight",
            extra: "encoder.block.1.layer.0.SelfAttention.relative_attention_bias.weight",
            bent: ("encoder.final_layer_norm.weight", [20], [21])
        ) { _ = try T5Encoder.load(folder: $0) }
    }

    @Test(arguments: [
        ConfigurationFault("architectures", "[\"T5ForConditionalGeneration\"]", "T5EncoderModel"),
        ConfigurationFault("model_type", "\"umt5\"", "'t5'"),
        ConfigurationFault("d_model", nil, "a whole number"),
        ConfigurationFault("num_layers", "0", "a whole number"),
        ConfigurationFault("feed_forward_proj", "\"relu\"", "'gated-gelu'"),
        ConfigurationFault("feed_forward_proj", nil, "a text"),
        ConfigurationFault("dense_act_fn", "\"silu\"", "'gelu_new'"),
        ConfigurationFault("is_decoder", "true", "false"),
        ConfigurationFault("layer_norm_epsilon", "0", "a positive number"),
        ConfigurationFault("relative_attention_num_buckets", "30", "a multiple of 4"),
        ConfigurationFault("relative_attention_max_distance", "4", "more than a quarter"),
    ])
    func faultyConfigurationsAreNamed(_ fault: ConfigurationFault) throws {
        try fault.expectError(from: variant) { _ = try T5Encoder.load(folder: $0) }
    }

    @Test func parametersBearTheNamesOfTheFile() throws {
        let archive = try openTensorArchive(fill)
        #expect(try T5Encoder.load(folder: fill).namedParameters().map(\.name).sorted() == archive.names.sorted())
    }
}
