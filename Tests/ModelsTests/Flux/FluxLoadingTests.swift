import Foundation
import Models
import NeuralNet
import TensorCore
import TensorIO
import TestSupport
import Testing

/// Folders that are not what they should be, and the one error that each gives.
@Suite struct FluxLoadingTests {
    /// Copies the small variant with its configuration and tensors changed.
    private func changed(
        configuration: (inout [String: Any]) -> Void = { _ in }, tensors: (inout [String: Tensor]) -> Void = { _ in },
        _ body: (String) throws -> Void
    ) throws {
        let source = Fixtures.path("flux-variant")
        let folder = try Fixtures.scratchFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        var json = try #require(
            JSONSerialization.jsonObject(with: Data(contentsOf: URL(filePath: source + "/config.json")))
                as? [String: Any])
        configuration(&json)
        try JSONSerialization.data(withJSONObject: json).write(to: folder.appending(path: "config.json"))
        let archive = try openTensorArchive(source)
        var values: [String: Tensor] = [:]
        for name in archive.names { values[name] = try archive.tensor(name) }
        tensors(&values)
        try SafetensorsFile.write(
            values.sorted { $0.key < $1.key }.map { ($0.key, $0.value) },
            to: folder.appending(path: "diffusion_pytorch_model.safetensors").path)
        try body(folder.path)
    }

    private func fileError(_ folder: String) -> FileError? {
        #expect(throws: FileError.self) { _ = try FluxTransformer.load(folder: folder) }
    }

    @Test func oneErrorNamesEveryFault() throws {
        let (gone, extra, bent) = (
            "transformer_blocks.0.attn.to_q.weight", "transformer_blocks.0.attn.to_r.weight", "proj_out.bias"
        )
        try changed(tensors: {
            $0[extra] = $0.removeValue(forKey: gone)
            $0["adapter"] = Tensor(1)
            $0[bent] = Tensor(zeros: [9])
        }) { folder in
            let error = #expect(throws: WeightError.self) { _ = try FluxTransformer.load(folder: folder) }
            #expect(error?.missing == [gone])
            #expect(error?.unexpected.sorted() == ["adapter", extra])
            #expect(error?.misshapen.map(\.key) == [bent])
            #expect(error?.misshapen.first?.expected == [8] && error?.misshapen.first?.found == [9])
            let line = error?.description ?? ""
            #expect(!line.contains("\n"))
            for part in [folder, gone, extra, bent, "[8]", "[9]"] { #expect(line.contains(part), "\(line)") }
        }
    }

    @Test func unchangedCopyLoads() throws {
        try changed { folder in
            let model = try FluxTransformer.load(folder: folder)
            #expect(model.configuration.innerDimension == 40)
        }
    }

    @Test func wholeNumbersAreNoWeights() throws {
        try changed(tensors: { $0["proj_out.bias"] = Tensor([Int32](repeating: 0, count: 8), [8]) }) { folder in
            #expect(fileError(folder)?.key == "proj_out.bias")
        }
    }

    @Test(arguments: [
        ("axes_dims_rope", "[4, 6, 8]"), ("axes_dims_rope", "[4, 16]"), ("axes_dims_rope", "[3, 7, 10]"),
        ("axes_dims_rope", "[-2, 12, 10]"), ("axes_dims_rope", "12"), ("num_layers", "-1"), ("num_layers", "1.5"),
        ("num_attention_heads", "0"), ("in_channels", "\"24\""), ("guidance_embeds", "1"), ("patch_size", "2"),
        ("pooled_projection_dim", "99999999999999999999"), ("_class_name", "\"SD3Transformer2DModel\""),
    ]) func configurationFaultNamesItsKey(key: String, json: String) throws {
        let value = try JSONSerialization.jsonObject(with: Data(json.utf8), options: .fragmentsAllowed)
        try changed(configuration: { $0[key] = value }) { folder in
            let error = fileError(folder)
            #expect(error?.path == folder + "/config.json")
            #expect(error?.key == key)
            #expect(error?.found.isEmpty == false)
        }
    }

    @Test func unknownKeyIsAnErrorWithItsLikelyName() throws {
        try changed(configuration: { $0["num_layer"] = 1 }) { folder in
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
