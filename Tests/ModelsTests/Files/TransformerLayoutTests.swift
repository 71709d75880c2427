import Autograd
import Foundation
import Models
import NeuralNet
import TensorCore
import TensorIO
import TestSupport
import Testing

/// The tiny transformer in each layout gives the output that it gives from its diffusers folder.
@Suite struct TransformerLayoutTests {
    /// From the folder that diffusers wrote.
    private static func reference() throws -> Tensor {
        try LayoutFiles.output(FluxTransformer.load(folder: LayoutFiles.transformerFolder))
    }

    private static func load(_ path: String) throws -> FluxTransformer {
        try ModelFile.open(path, .transformer).loadTransformer()
    }

    /// A file that Python made, in names that diffusers' converter understands.
    @Test func blackForestNamesAreThoseOfUpstream() throws {
        let file = try ModelFile.open(Fixtures.path("layouts/flux-bfl.safetensors"), .transformer)
        #expect(file.keyNaming == .blackForest && file.prefix.isEmpty)
        let (found, expected) = (
            try file.loadTransformer(), try FluxTransformer.load(folder: Fixtures.path("flux-variant"))
        )
        #expect(found.configuration == expected.configuration)
        for ((name, a), (other, b)) in zip(found.namedParameters(), expected.namedParameters()) {
            #expect(name == other && a.value.isIdentical(to: b.value), "\(name)")
        }
        let reference = try FluxReference.variant()
        let output = try withoutGradients { found(try reference.input(guidance: nil)) }
        #expect(largestDifference(output.value, try reference.values.tensor("output")) <= 1e-4)
    }

    @Test func fusedWeightsAreViewsOfTheFile() throws {
        try LayoutFiles.inScratchFolder { folder in
            let path = folder + "/flux.safetensors"
            try LayoutFiles.writeBlackForest(to: path)
            let model = try Self.load(path)
            let swapped = model.namedParameters().filter { $0.name.hasPrefix("norm_out.") }
            let copied = swapped.reduce(0) { $0 + $1.parameter.value.count * 2 }
            #expect(model.parameterCount * 2 > 2_000_000 && copied < 50_000)
            for (name, parameter) in model.namedParameters() where !name.hasPrefix("norm_out.") {
                #expect(!parameter.value.storage.isMutable, "\(name) is a copy")
            }
        }
    }

    @Test func losslessLayoutsGiveTheSameBits() throws {
        let expected = try Self.reference()
        try LayoutFiles.inScratchFolder { folder in
            try LayoutFiles.writeBlackForest(to: folder + "/bfl.safetensors")
            #expect(try LayoutFiles.output(Self.load(folder + "/bfl.safetensors")).isIdentical(to: expected), "BFL")

            let quantizer = try ModelQuantizer(LayoutFiles.transformerFolder, type: "bf16")
            try quantizer.write(to: folder + "/bf16.gguf") { #expect($0.relativeError == 0, "\($0.name)") }
            #expect(try LayoutFiles.output(Self.load(folder + "/bf16.gguf")).isIdentical(to: expected), "GGUF BF16")

            let sharded = folder + "/sharded"
            try Self.writeShards(in: sharded)
            #expect(try LayoutFiles.output(FluxTransformer.load(folder: sharded)).isIdentical(to: expected), "sharded")

            // diffusers' own names in a file by itself.
            let archive = try openTensorArchive(LayoutFiles.transformerFolder)
            let text = try LayoutFiles.configuration(LayoutFiles.transformerFolder)
            try SafetensorsFile.write(
                archive.names.map { ($0, try archive.tensor($0)) }, metadata: [ModelFile.configurationKey: text],
                to: folder + "/diffusers.safetensors")
            let output = try LayoutFiles.output(Self.load(folder + "/diffusers.safetensors"))
            #expect(output.isIdentical(to: expected), "diffusers, one file")
        }
    }

    /// Two files and an index, as diffusers names them.
    private static func writeShards(in folder: String) throws {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let archive = try openTensorArchive(LayoutFiles.transformerFolder)
        let middle = archive.names.count / 2
        var map: [String: String] = [:]
        for (number, names) in [archive.names[..<middle], archive.names[middle...]].enumerated() {
            let file = "diffusion_pytorch_model-0000\(number + 1)-of-00002.safetensors"
            try SafetensorsFile.write(names.map { ($0, try archive.tensor($0)) }, to: "\(folder)/\(file)")
            for name in names { map[name] = file }
        }
        let index = try JSONSerialization.data(withJSONObject: ["metadata": ["total_size": 1], "weight_map": map])
        try index.write(to: URL(filePath: folder + "/diffusion_pytorch_model.safetensors.index.json"))
        try FileManager.default.copyItem(
            atPath: LayoutFiles.transformerFolder + "/config.json", toPath: folder + "/config.json")
    }

    @Test func aMissingShardIsOneClearLine() throws {
        try LayoutFiles.inScratchFolder { folder in
            try Self.writeShards(in: folder + "/s")
            let shard = folder + "/s/diffusion_pytorch_model-00002-of-00002.safetensors"
            try FileManager.default.removeItem(atPath: shard)
            let error = #expect(throws: FileError.self) { _ = try FluxTransformer.load(folder: folder + "/s") }
            #expect(error?.path == shard && error?.found == "No such file or directory")
        }
    }

    /// bfloat16 rounds to eight bits, of which float16 keeps all in its range, and eight-bit formats some.
    @Test(
        arguments: [("f16", 1e-4), ("q8_0", 0.02), ("q6_k", 0.03), ("q5_k", 0.08), ("q4_k", 0.15), ("q4_0", 0.2)]
            as [(String, Float)])
    func ggufFilesAreNear(type: String, bound: Float) throws {
        let expected = try Self.reference()
        try LayoutFiles.inScratchFolder { folder in
            let path = folder + "/flux.gguf"
            try ModelQuantizer(LayoutFiles.transformerFolder, type: type).write(to: path) { _ in }
            let file = try GGUFFile(path: path)
            #expect(file.metadata["general.architecture"]?.text == "flux")
            // Vectors and the input's and output's layers keep their precision.
            #expect(file.entry("double_blocks.0.img_attn.qkv.bias")?.type.name == "F32")
            #expect(file.entry("final_layer.linear.weight")?.type.name == (type == "f16" ? "F16" : "BF16"))
            let error = relativeDifference(try LayoutFiles.output(Self.load(path)), from: expected)
            print("FLUX from GGUF \(type): relative difference \(error)")
            #expect(error < bound && (type == "f16" || error > 0), "\(type): \(error)")
        }
    }

    @Test func halfPrecisionAndPrefixes() throws {
        let expected = try Self.reference()
        try LayoutFiles.inScratchFolder { folder in
            try LayoutFiles.writeBlackForest(to: folder + "/f16.safetensors", dtype: .float16)
            let half = relativeDifference(
                try LayoutFiles.output(Self.load(folder + "/f16.safetensors")), from: expected)
            #expect(half < 1e-4, "\(half)")
            try LayoutFiles.writeBlackForest(to: folder + "/prefixed.safetensors", prefix: "model.diffusion_model.")
            let file = try ModelFile.open(folder + "/prefixed.safetensors", .transformer)
            #expect(file.prefix == "model.diffusion_model.")
            // Heads of 32 channels are none of FLUX.1's: without its metadata their axes cannot be told.
            let error = #expect(throws: FileError.self) { _ = try file.loadTransformer() }
            #expect(error?.found == "32 channels" && error?.key?.hasSuffix("query_norm.scale") == true)
        }
    }

    /// ComfyUI's eight-bit files: the weight in `F8_E4M3` with a scale beside it, a mark, scales for activations.
    @Test(arguments: [true, false]) func eightBitFloatingPointWithScales(isScaled: Bool) throws {
        let expected = try Self.reference()
        try LayoutFiles.inScratchFolder { folder in
            let path = folder + "/fp8.safetensors"
            try LayoutFiles.writeBlackForest(to: folder + "/bf16.safetensors")
            try Float8File.write(SafetensorsFile(path: folder + "/bf16.safetensors"), to: path, isScaled: isScaled)
            let file = try ModelFile.open(path, .transformer)
            #expect(!file.archive.names.contains { $0.contains("scale_") || $0 == "scaled_fp8" })
            #expect(file.archive.info("img_in.weight")?.quantization == .float8E4M3)
            let error = relativeDifference(try LayoutFiles.output(file.loadTransformer()), from: expected)
            print("FLUX from F8_E4M3\(isScaled ? " with scales" : ""): relative difference \(error)")
            #expect(error > 0 && error < 0.1, "\(error)")
        }
    }

    @Test func everyFaultIsNamedInTheFilesOwnWords() throws {
        try LayoutFiles.inScratchFolder { folder in
            let path = folder + "/broken.safetensors"
            let (gone, bent) = ("double_blocks.1.txt_mlp.0.weight", "single_blocks.0.linear1.bias")
            try LayoutFiles.writeBlackForest(to: path) { tensors in
                tensors.removeAll { $0.name == gone }
                tensors.append(("single_blocks.0.linear3.weight", Tensor(zeros: [2, 2])))
                let place = tensors.firstIndex { $0.name == bent }!
                tensors[place].tensor = Tensor(zeros: [5])
            }
            let error = #expect(throws: WeightError.self) { _ = try Self.load(path) }
            #expect(error?.missing == [gone] && error?.unexpected == ["single_blocks.0.linear3.weight"])
            #expect(error?.misshapen.map(\.key) == [bent])
            #expect(error?.misshapen.first?.found == [5])
        }
    }

    @Test func variantsAreToldFromTheShapes() throws {
        var configuration = FluxConfiguration()
        #expect(configuration.variant == "FLUX.1 [schnell]")
        configuration.guidanceEmbeds = true
        #expect(configuration.variant == "FLUX.1 [dev]")
        configuration.inChannels = 384
        #expect(configuration.variant == "FLUX.1 [Fill]")
        configuration.inChannels = 128
        #expect(configuration.variant == "FLUX.1 [Canny] or [Depth]")
        configuration.inChannels = 100
        #expect(configuration.variant == nil)
    }

    /// Files of few numbers that have FLUX's names: the proportions are told without metadata.
    @Test(arguments: [(64, true), (64, false), (384, true)]) func proportionsAreToldFromTheShapes(
        inputs: Int, guidance: Bool
    ) throws {
        var configuration = FluxConfiguration()
        configuration.inChannels = inputs
        configuration.guidanceEmbeds = guidance
        (configuration.numLayers, configuration.numSingleLayers, configuration.numAttentionHeads) = (1, 2, 1)
        (configuration.jointAttentionDim, configuration.pooledProjectionDim) = (32, 16)
        try LayoutFiles.inScratchFolder { folder in
            let path = folder + "/small.safetensors"
            let tensors = configuration.blackForestKeyMappings.map {
                ("diffusion_model." + $0.source, Tensor(zeros: $0.sourceShape, dtype: .bfloat16))
            }
            try SafetensorsFile.write(tensors, to: path)
            let model = try Self.load(path)
            #expect(model.configuration == configuration)
            // The same through diffusers' names.
            let names = configuration.blackForestKeyMappings.flatMap(\.parts)
            try SafetensorsFile.write(
                names.map { ($0.name, Tensor(zeros: $0.shape, dtype: .bfloat16)) },
                to: folder + "/diffusers.safetensors")
            #expect(try Self.load(folder + "/diffusers.safetensors").configuration == configuration)
        }
    }
}
