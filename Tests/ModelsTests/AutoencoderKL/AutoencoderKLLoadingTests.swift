import Foundation
import Models
import NeuralNet
import TensorCore
import TensorIO
import TestSupport
import Testing

/// Folders that are not what they should be, and the one error that each gives.
@Suite struct AutoencoderKLLoadingTests {
    private let variant = Fixtures.path("encoder-variant/vae")

    @Test func oneErrorNamesEveryFault() throws {
        try expectEveryTensorFault(
            from: variant, gone: "encoder.down_blocks.0.downsamplers.0.conv.weight",
            extra: "encoder.down_blocks.0.downsampler.0.conv.weight",
            bent: ("decoder.conv_norm_out.bias", [8], [9])
        ) { _ = try AutoencoderKL.load(folder: $0) }
    }

    @Test func weightsMustBeFloatingPointNumbers() throws {
        let key = "decoder.conv_in.bias"
        try withChangedModel(variant, tensors: { $0[key] = Tensor(zeros: [12], dtype: .int32) }) { folder in
            let error = #expect(throws: FileError.self) { _ = try AutoencoderKL.load(folder: folder) }
            #expect(error?.key == key && error?.found == "int32")
        }
    }

    @Test(arguments: [
        ConfigurationFault("_class_name", "\"AutoencoderTiny\"", "AutoencoderKL"),
        ConfigurationFault("latent_channels", nil, "a whole number"),
        ConfigurationFault("layers_per_block", "\"2\"", "a whole number"),
        ConfigurationFault("scaling_factor", nil, "a number"),
        ConfigurationFault("scaling_factor", "0", "other than 0"),
        ConfigurationFault("shift_factor", "\"none\"", "a number"),
        ConfigurationFault("act_fn", "\"relu\"", "'silu'"),
        ConfigurationFault("block_out_channels", "[8, 10, 12]", "multiples of norm_num_groups, 4"),
        ConfigurationFault("down_block_types", "[\"DownEncoderBlock2D\"]", "3 times 'DownEncoderBlock2D'"),
        ConfigurationFault(
            "up_block_types", "[\"UpDecoderBlock2D\", \"AttnUpDecoderBlock2D\", \"UpDecoderBlock2D\"]",
            "3 times 'UpDecoderBlock2D'"),
        ConfigurationFault("latents_mean", "[0, 0, 0, 0]", "null"),
        ConfigurationFault("scaling_facter", "2", "a field that this model knows"),
    ])
    func faultyConfigurationsAreNamed(_ fault: ConfigurationFault) throws {
        try fault.expectError(from: variant) { _ = try AutoencoderKL.load(folder: $0) }
    }

    @Test func aMisspeltFieldIsTold() throws {
        try withChangedModel(variant, configuration: { $0["scaling_facter"] = 2 }) { folder in
            let error = #expect(throws: FileError.self) { _ = try AutoencoderKL.load(folder: folder) }
            #expect(error?.nearest == "scaling_factor")
        }
    }

    @Test func configurationsSurviveCoding() throws {
        let configuration = try AutoencoderKLConfiguration(path: variant + "/config.json")
        let text = try JSONEncoder().encode(configuration)
        #expect(try JSONDecoder().decode(AutoencoderKLConfiguration.self, from: text) == configuration)
        #expect(configuration.useQuantConv && configuration.usePostQuantConv && configuration.midBlockAddAttention)
    }

    @Test func anAttentionInTheMiddleIsOptional() throws {
        try withChangedModel(
            variant, configuration: { $0["mid_block_add_attention"] = false },
            tensors: { $0 = $0.filter { !$0.key.contains("attentions") } }
        ) { folder in
            let vae = try AutoencoderKL.load(folder: folder)
            #expect(vae.encode(Tensor(zeros: [1, 3, 8, 8])).mean.isFinite)
        }
    }
}
