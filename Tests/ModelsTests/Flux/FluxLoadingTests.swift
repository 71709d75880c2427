import Foundation
import Models
import NeuralNet
import TensorCore
import TensorIO
import TestSupport
import Testing

/// Folders that are not what they should be, and the one error that each gives.
@Suite struct FluxLoadingTests {
    private let variant = Fixtures.path("flux-variant")

    private func fileError(_ folder: String) -> FileError? {
        #expect(throws: FileError.self) { _ = try FluxTransformer.load(folder: folder) }
    }

    @Test func oneErrorNamesEveryFault() throws {
        try expectEveryTensorFault(
            from: variant, gone: "transformer_blocks.0.attn.to_q.weight",
            extra: "transformer_blocks.0.attn.to_r.weight",
            bent: ("proj_out.bias", [8], [9])
        ) { _ = try FluxTransformer.load(folder: $0) }
    }

    @Test func unchangedCopyLoads() throws {
        try withChangedModel(variant) { folder in
            let model = try FluxTransformer.load(folder: folder)
            #expect(model.configuration.innerDimension == 40)
        }
    }

    @Test func wholeNumbersAreNoWeights() throws {
        try withChangedModel(variant, tensors: { $0["proj_out.bias"] = Tensor([Int32](repeating: 0, count: 8), [8]) }) {
            folder in
            #expect(fileError(folder)?.key == "proj_out.bias")
        }
    }

    @Test(arguments: [
        ConfigurationFault("axes_dims_rope", "[4, 6, 8]", "three even numbers"),
        ConfigurationFault("axes_dims_rope", "[4, 16]", "three even numbers"),
        ConfigurationFault("axes_dims_rope", "[3, 7, 10]", "three even numbers"),
        ConfigurationFault("axes_dims_rope", "[-2, 12, 10]", "three even numbers"),
        ConfigurationFault("axes_dims_rope", "12", "a list of whole numbers, found 12"),
        ConfigurationFault("num_layers", "-1", "a whole number from 0 to 1024, found -1"),
        ConfigurationFault("num_layers", "1.5", "a whole number from 0 to 1024, found 1.5"),
        ConfigurationFault("num_attention_heads", "0", "a whole number from 1 to 4096"),
        ConfigurationFault("in_channels", "\"24\"", "a whole number from 1 to 1048576, found '24'"),
        ConfigurationFault("guidance_embeds", "1", "true or false, found 1"),
        ConfigurationFault("patch_size", "2", "a whole number from 1 to 1"),
        ConfigurationFault("pooled_projection_dim", "99999999999999999999", "found 99999999999999999999"),
        ConfigurationFault("_class_name", "\"SD3Transformer2DModel\"", "FluxTransformer2DModel"),
    ]) func faultyConfigurationsAreNamed(_ fault: ConfigurationFault) throws {
        try fault.expectError(from: variant) { _ = try FluxTransformer.load(folder: $0) }
    }

    @Test func unknownKeyIsAnErrorWithItsLikelyName() throws {
        try withChangedModel(variant, configuration: { $0["num_layer"] = 1 }) { folder in
            let error = fileError(folder)
            #expect(error?.key == "num_layer" && error?.nearest == "num_layers")
        }
    }

    @Test func absentKeysHaveTheDefaultsOfFlux() throws {
        let folder = try Fixtures.scratchFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = folder.appending(path: "config.json").path
        // As published with FLUX.1 [dev] at first.
        try Data(
            #"{"_class_name": "FluxTransformer2DModel", "_diffusers_version": "0.30.0", "guidance_embeds": true, "in_channels": 64}"#
                .utf8
        ).write(to: URL(filePath: path))
        let configuration = try FluxConfiguration(path: path)
        var expected = FluxConfiguration()
        expected.guidanceEmbeds = true
        #expect(configuration == expected)
        #expect(configuration.innerDimension == 3072)
        let decoded = try JSONDecoder().decode(FluxConfiguration.self, from: JSONEncoder().encode(configuration))
        #expect(decoded == configuration)
    }

    @Test func missingAndBrokenFiles() throws {
        let folder = try Fixtures.scratchFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        #expect(fileError(folder.path)?.path == folder.path + "/config.json")
        try Data("{\"in_channels\": ".utf8).write(to: folder.appending(path: "config.json"))
        #expect(fileError(folder.path)?.path == folder.path + "/config.json")
        try Data("{}".utf8).write(to: folder.appending(path: "config.json"))
        #expect(fileError(folder.path)?.path == folder.path)
    }
}
