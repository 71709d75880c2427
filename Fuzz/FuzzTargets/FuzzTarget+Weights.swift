import Adapters
import Foundation
import InContextEdit
import Models
import TensorCore
import TensorIO

/// Safetensors, its index, GGUF, and the adapters and models in them.
extension FuzzTarget {
    static var weightFiles: [FuzzTarget] { [safetensors, shardIndex, gguf, adapter] }

    private static var safetensors: FuzzTarget {
        FuzzTarget(
            "safetensors", dictionary: safetensorsWords,
            seeds: { _ in
                let adapters = try FuzzFolder.fixture("images/tensors.safetensors")
                return [
                    Safetensors.bytes(#"{"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}}"#, dataCount: 24),
                    Safetensors.bytes(
                        #"{"__metadata__":{"format":"pt"},"x.weight":{"dtype":"F8_E4M3","shape":[4],"data_offsets":[0,4]},"#
                            + #""x.scale_weight":{"dtype":"F32","shape":[],"data_offsets":[4,8]}}"#, dataCount: 8),
                    Safetensors.bytes(
                        #"{"double_blocks.0.img_attn.qkv.weight":{"dtype":"BF16","shape":[0,9],"data_offsets":[0,0]},"#
                            + #""m":{"dtype":"BOOL","shape":[1],"data_offsets":[0,1]}}"#, dataCount: 1),
                    Safetensors.bytes(
                        "{\"a\u{1B}[31m\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}}", dataCount: 0),
                    adapters, try modelHeader("transformer/diffusion_pytorch_model"),
                    try modelHeader("vae/diffusion_pytorch_model"), try modelHeader("text_encoder_2/model"),
                ]
            }, mend: Safetensors.mend
        ) { bytes, folder in
            let path = try folder.write(bytes, "fuzz.safetensors")
            try use(ScaledArchive.wrapping(SafetensorsFile(path: path)))
        }
    }

    /// A model's header, its tensors cut down to nothing so that the file is small.
    private static func modelHeader(_ name: String) throws -> [UInt8] {
        let file = try SafetensorsFile(path: FuzzFolder.fixtures + "/tiny-random-fill/\(name).safetensors")
        let parts = file.entries.map { entry in
            let shape = entry.dimensions.enumerated().map { $0 == entry.dimensions.count - 1 ? 0 : $1 }
            return "\"\(entry.name)\":{\"dtype\":\"\(entry.dtypeName)\",\"shape\":\(shape),\"data_offsets\":[0,0]}"
        }
        return Safetensors.bytes("{" + parts.joined(separator: ",") + "}", dataCount: 0)
    }

    /// Reads what an archive holds, as `inspect` and the loaders do.
    private static func use(_ archive: any TensorArchive) throws {
        for name in archive.names.prefix(8) {
            _ = archive.info(name)
            if let stored = try? archive.stored(name) { _ = stored.shape.count }
            _ = try? archive.tensor(name)
        }
        _ = AdapterSummary.isAdapter(archive.names)
        for model in ModelFile.models(in: archive) {
            _ = model.summary
            let configuration = try model.configuration()
            try model.check(configuration)
        }
    }

    private static var shardIndex: FuzzTarget {
        FuzzTarget(
            "safetensors-index", dictionary: ["weight_map", "metadata", "part.safetensors", "total_size"],
            seeds: { folder in
                try folder.write(
                    Safetensors.bytes(
                        #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#,
                        dataCount: 8), "part.safetensors")
                return [
                    #"{"metadata":{"total_size":8},"weight_map":{"a":"part.safetensors","b":"part.safetensors"}}"#,
                    #"{"weight_map":{"a":"../part.safetensors"}}"#, #"{"weight_map":{}}"#,
                ].map { Array($0.utf8) }
            }
        ) { bytes, folder in
            try use(ShardedSafetensors(indexPath: folder.write(bytes, "fuzz.safetensors.index.json")))
        }
    }

    private static var gguf: FuzzTarget {
        FuzzTarget(
            "gguf",
            dictionary: ["GGUF", "general.alignment", "comfy.gguf.orig_shape.", "diptych.config", "tokenizer.ggml."],
            seeds: { folder in
                let small = folder.path + "/small.gguf"
                let metadata: [(key: String, value: GGUFValue)] = [
                    ("general.architecture", .string("flux")), ("general.alignment", .uint32(32)),
                    ("comfy.gguf.orig_shape.a", .array(GGUFArray([4, 1] as [Int32]))), ("x", .bool(true)),
                    ("y", .float64(0.5)), ("z", .int64(-1)), ("words", .array(GGUFArray(["a", "b"]))),
                ]
                let tensors = ["a": Tensor([1, 2, 3, 4] as [Float], [2, 2]), "b": Tensor([1] as [Int32], [1])]
                let plans = try tensors.sorted { $0.key < $1.key }.map { name, tensor in
                    GGUFPlan(name: name, type: try type(of: tensor.dtype), shape: tensor.shape)
                }
                try GGUFFile.write(metadata: metadata, tensors: plans, to: small) { plan in
                    .plain(tensors[plan.name] ?? Tensor(0))
                }
                return [
                    try FuzzFolder.bytes(small), try FuzzFolder.fixture("gguf/blocks.gguf"),
                    Array(try FuzzFolder.fixture("layouts/t5.gguf").prefix(1 << 15)),
                ]
            }
        ) { bytes, folder in
            let file = try GGUFFile(path: folder.write(bytes, "fuzz.gguf"))
            for value in file.metadata.values { _ = (value.description, value.array?.texts, value.array?.numbers) }
            _ = try? T5Tokenizer(file).encode("make the sky pink", maximumLength: 16)
            try use(file)
        }
    }

    private static func type(of dtype: DType) throws -> GGUFTensorType {
        guard let type = GGUFTensorType(dtype) else { throw CocoaError(.coderInvalidValue) }
        return type
    }

    private static var adapter: FuzzTarget {
        FuzzTarget(
            "adapter",
            dictionary: safetensorsWords + [
                "lora_adapter_metadata", "diptych_routing", "lora_alpha", "alpha_pattern", "rank_pattern", "use_rslora",
                "transformer.", ".lora_A.weight", ".lora_B.weight", ".lora_A.expert_0.weight", ".lora_route.weight",
                ".alpha", "lora_unet_", ".lora_down.weight", "topK", "experts", "gate", ".*", "(a|b)+", "[a-z]{2,9}",
                "(?<x>", "\\\\d",
            ],
            seeds: { folder in
                var seeds: [[UInt8]] = []
                let all = try SafetensorsFile(path: FuzzFolder.fixtures + "/adapters.safetensors")
                for kind in ["kohya", "comfyui", "ai-toolkit-alpha", "onetrainer", "peft", "simpletuner"] {
                    let names = all.names.filter { $0.hasPrefix(kind + "/") }.prefix(6)
                    let path = folder.path + "/seed.safetensors"
                    try SafetensorsFile.write(
                        names.map { (String($0.dropFirst(kind.count + 1)), try all.tensor($0)) },
                        metadata: [
                            "lora_adapter_metadata":
                                #"{"transformer.r":4,"transformer.lora_alpha":8,"transformer.alpha_pattern":{"attn.to_q":2}}"#
                        ], to: path)
                    seeds.append(try FuzzFolder.bytes(path))
                }
                let block = "transformer.transformer_blocks.0.ff.net.2"
                let entries = [
                    ("lora_A.expert_0", "[2,384]", 0, 3072), ("lora_A.expert_1", "[2,384]", 3072, 6144),
                    ("lora_B.expert_0", "[96,2]", 6144, 6912), ("lora_B.expert_1", "[96,2]", 6912, 7680),
                    ("lora_route", "[2,384]", 7680, 10752),
                ].map {
                    "\"\(block).\($0.0).weight\":{\"dtype\":\"F32\",\"shape\":\($0.1),\"data_offsets\":[\($0.2),\($0.3)]}"
                }
                let routing =
                    #""__metadata__":{"diptych_routing":"{\"transformer_blocks.0.ff.net.2\":{\"experts\":2,\"alpha\":4,\"topK\":1,"#
                    + #"\"gate\":\"softmaxBeforeTopK\",\"renormalizesWeights\":false,\"routerInput\":\"token\"}}"},"#
                seeds.append(
                    Safetensors.bytes("{" + routing + entries.joined(separator: ",") + "}", dataCount: 10752))
                return seeds
            }, mend: Safetensors.mend
        ) { bytes, folder in
            let file = try SafetensorsFile(path: folder.write(bytes, "fuzz.safetensors"))
            _ = try? AdapterSummary(file).lines
            _ = try? AdapterNaming.flux(adaptedBy: file)
            let read = try AdapterFile(file, naming: .flux(fluxConfiguration))
            for format in AdapterFormat.allCases { _ = try? read.exported(as: format) }
        }
    }

    /// The proportions of the tests' transformer.
    private static let fluxConfiguration: FluxConfiguration = {
        let path = FuzzFolder.fixtures + "/tiny-random-fill/transformer/config.json"
        return (try? FluxConfiguration(path: path)) ?? FluxConfiguration()
    }()

    private static let safetensorsWords = [
        "dtype", "shape", "data_offsets", "__metadata__", "F32", "BF16", "F16", "I64", "BOOL", "U8", "F4", "F8_E4M3",
        "C64",
    ]
}

/// The layout of safetensors files, so far as mutations need it.
enum Safetensors {
    static func bytes(_ header: String, dataCount: Int) -> [UInt8] {
        littleEndian(header.utf8.count) + Array(header.utf8) + [UInt8](repeating: 0, count: dataCount)
    }

    private static func littleEndian(_ count: Int) -> [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: count >> (8 * $0)) }
    }

    /// Writes the header's true length, and gives the file as many bytes as its header lists.
    @Sendable static func mend(_ bytes: inout [UInt8], _ random: inout FuzzRandom) {
        guard bytes.count > 10, let open = bytes[8...].firstIndex(of: UInt8(ascii: "{")) else { return }
        var (depth, isText, place) = (0, false, open)
        while place < bytes.count {
            let byte = bytes[place]
            if isText {
                if byte == UInt8(ascii: "\\") { place += 1 } else if byte == UInt8(ascii: "\"") { isText = false }
            } else if byte == UInt8(ascii: "\"") {
                isText = true
            } else if byte == UInt8(ascii: "{") {
                depth += 1
            } else if byte == UInt8(ascii: "}") {
                depth -= 1
                if depth == 0 { break }
            }
            place += 1
        }
        guard place < bytes.count else { return }
        let header = Array(bytes[open...place])
        var data = Array(bytes[(place + 1)...])
        var end = 0
        for match in String(decoding: header, as: UTF8.self).split(separator: "data_offsets").dropFirst() {
            let numbers = match.prefix(60).split { !$0.isASCII || !$0.isNumber }.compactMap { Int($0) }
            if numbers.count > 1 { end = max(end, numbers[1]) }
        }
        if end <= 1 << 18, random.below(8) > 0 {
            data = Array(data.prefix(end)) + [UInt8](repeating: 0, count: max(0, end - data.count))
        }
        bytes = littleEndian(header.count) + header + data
    }
}
