import Foundation
import NeuralNet
public import TensorCore
public import TensorIO

/// Writes a FLUX.1 [Fill] pipeline with random weights of a true shape, so that time and memory can be measured without
/// a download.
///
/// ```swift
/// let base = try RandomBase(size: .full, type: "q4_0", seed: 1)
/// try base.write(to: "random-full", tokenizers: "Tests/Fixtures/tiny-random-fill") { print($0.done) }
/// ```
///
/// The transformer and the T5 encoder become GGUF files of the type asked for, CLIP and the autoencoder safetensors.
/// Matrices are gaussian with deviation `1 / sqrt(inputs)`, so that activations stay finite; scales of norms are one, biases
/// zero. The numbers are drawn from the seed block by block out of a pool that was packed once, which is what makes
/// twelve billion of them a matter of seconds; the same seed gives the same files.
public struct RandomBase {
    /// The proportions of the pipeline.
    public enum Size: String, CaseIterable, Sendable {
        /// FLUX.1 [Fill] with T5 XXL, CLIP-L and its autoencoder.
        case full
        /// Narrow and shallow, but with rows that blocks of 256 divide.
        case medium
    }

    /// A file that is written.
    public struct File: Sendable {
        /// Its name in the folder.
        public let name: String
        /// What it holds.
        public let part: PipelineFolder.Part
        /// The tensors in its own names.
        public let plans: [GGUFPlan]
        /// The number of weights.
        public var parameterCount: Int { plans.reduce(0) { $0 + $1.shape.count } }
        fileprivate let metadata: [(key: String, value: GGUFValue)]
    }

    /// The transformer, T5, CLIP and the autoencoder.
    public let files: [File]
    private let seed: UInt64

    /// Plans the files. Throws `FileError` when `type` is none of ``ModelQuantizer/types``.
    public init(size: Size, type: String, seed: UInt64) throws {
        let target = try ModelQuantizer.targetType(type)
        self.seed = seed
        let (flux, t5, clip, vae) = size.configurations
        func plans(_ list: [KeyMapping], _ target: GGUFTensorType?, plain: DType) -> [GGUFPlan] {
            list.map {
                let shape = $0.sourceShape
                var type = GGUFTensorType(plain)!
                if let target {
                    let info = TensorInfo(dtype: plain, shape: shape)
                    type = ModelQuantizer.type(of: $0.source, shape, info, target: target)
                }
                return GGUFPlan(name: $0.source, type: type, shape: shape)
            }
        }
        func metadata(_ configuration: some Encodable, _ more: [String: JSONValue] = [:]) throws -> [(
            String, GGUFValue
        )] {
            let fields = try JSONValue(encoding: configuration).fields ?? [:]
            let text = JSONValue(fields: fields.merging(more) { $1 }).text()
            return [(ModelFile.configurationKey, .string(text))]
        }
        func architecture(_ name: String) -> [(String, GGUFValue)] {
            [("general.architecture", .string(name)), ("general.quantization_version", .uint32(2))]
        }
        let stages = vae.blockOutChannels.count
        files = [
            File(
                name: "transformer.gguf", part: .transformer,
                plans: plans(flux.blackForestKeyMappings, target, plain: .bfloat16),
                metadata: architecture("flux") + (try metadata(flux))),
            File(
                name: "t5.gguf", part: .textEncoder2, plans: plans(t5.llamaKeyMappings, target, plain: .bfloat16),
                metadata: architecture("t5encoder") + (try metadata(t5, ["feed_forward_proj": "gated-gelu"]))),
            File(
                name: "clip.safetensors", part: .textEncoder,
                plans: plans(clip.keyMappings, nil, plain: .bfloat16), metadata: try metadata(clip)),
            File(
                name: "vae.safetensors", part: .vae, plans: plans(vae.blackForestKeyMappings, nil, plain: .float32),
                metadata: try metadata(
                    vae,
                    [
                        "down_block_types": .array(Array(repeating: "DownEncoderBlock2D", count: stages)),
                        "up_block_types": .array(Array(repeating: "UpDecoderBlock2D", count: stages)),
                    ])),
        ]
    }

    /// Writes the files into `folder`, which is made, and copies the folders `tokenizer` and `tokenizer_2` of the pipeline
    /// at `tokenizers` beside them. `progress` hears of each tensor.
    ///
    /// Throws `FileError` when a tokenizer is missing or a file cannot be written.
    public func write(to folder: String, tokenizers: String, progress: (WorkProgress) throws -> Void = { _ in }) throws
    {
        let manager = FileManager.default
        do { try manager.createDirectory(atPath: folder, withIntermediateDirectories: true) } catch {
            throw FileError(folder, expected: "a folder that can be made", found: error.localizedDescription)
        }
        for part in Self.tokenizerFolders { try copy("\(tokenizers)/\(part)", to: "\(folder)/\(part)") }
        var state = WorkProgress("tensors", total: files.reduce(0) { $0 + $1.plans.count })
        for (number, file) in files.enumerated() {
            var pools = BlockPools(seed: seed &+ UInt64(number))
            func contents(_ plan: GGUFPlan) throws -> StoredTensor {
                defer { state.done += 1 }
                try progress(state)
                return pools.tensor(plan)
            }
            let path = "\(folder)/\(file.name)"
            if file.name.hasSuffix(".gguf") {
                try GGUFFile.write(metadata: file.metadata, tensors: file.plans, to: path, contents: contents)
            } else {
                let tensors = try file.plans.map { (name: $0.name, tensor: try contents($0).expanded(to: .float32)) }
                let texts = file.metadata.compactMap { entry in entry.value.text.map { (entry.key, $0) } }
                try SafetensorsFile.write(tensors, metadata: Dictionary(uniqueKeysWithValues: texts), to: path)
            }
        }
        try progress(state)
    }

    /// The folders that are copied beside the models.
    public static let tokenizerFolders = [PipelineFolder.Part.tokenizer, .tokenizer2].map(\.rawValue)

    private func copy(_ source: String, to target: String) throws {
        let manager = FileManager.default
        // A folder may take its own.
        if let own = FileIdentity(source), own == FileIdentity(target) { return }
        guard let names = try? manager.contentsOfDirectory(atPath: source) else {
            throw FileError(source, expected: "a folder with a tokenizer", found: "nothing that can be read")
        }
        try? manager.createDirectory(atPath: target, withIntermediateDirectories: true)
        for name in names {
            guard let data = manager.contents(atPath: "\(source)/\(name)") else { continue }
            try AtomicFile.write(to: "\(target)/\(name)") { try $0.write(Array(data)) }
        }
    }
}

extension RandomBase.Size {
    fileprivate var configurations:
        (flux: FluxConfiguration, t5: T5Configuration, clip: CLIPTextConfiguration, vae: AutoencoderKLConfiguration)
    {
        var (flux, t5, clip, vae) = (
            FluxConfiguration(), T5Configuration(), CLIPTextConfiguration(), AutoencoderKLConfiguration()
        )
        (flux.inChannels, flux.guidanceEmbeds) = (384, true)
        if self == .medium {
            (flux.numLayers, flux.numSingleLayers) = (1, 2)
            (flux.numAttentionHeads, flux.attentionHeadDim, flux.axesDimsRope) = (4, 64, [16, 24, 24])
            (flux.jointAttentionDim, flux.pooledProjectionDim) = (256, 128)
            (t5.vocabSize, t5.dModel, t5.dKv, t5.dFf, t5.numLayers, t5.numHeads) = (2048, 256, 32, 512, 2, 8)
            (clip.vocabSize, clip.hiddenSize, clip.intermediateSize) = (2048, 128, 512)
            (clip.numHiddenLayers, clip.numAttentionHeads) = (2, 2)
            vae.blockOutChannels = [32, 64, 64, 64]
        }
        return (flux, t5, clip, vae)
    }
}

extension CLIPTextConfiguration {
    /// The tensors of this encoder under their own names.
    fileprivate var keyMappings: [KeyMapping] {
        let prefix = "text_model"
        var list: [KeyMapping] = []
        func add(_ name: String, _ shape: Shape) {
            list.append(KeyMapping("\(prefix).\(name)", "\(prefix).\(name)", shape))
        }
        func pair(_ name: String, _ shape: Shape) {
            add("\(name).weight", shape)
            add("\(name).bias", [shape[0]])
        }
        add("embeddings.token_embedding.weight", [vocabSize, hiddenSize])
        add("embeddings.position_embedding.weight", [maxPositionEmbeddings, hiddenSize])
        for index in 0..<numHiddenLayers {
            let layer = "encoder.layers.\(index)"
            for name in ["q_proj", "k_proj", "v_proj", "out_proj"] {
                pair("\(layer).self_attn.\(name)", [hiddenSize, hiddenSize])
            }
            for name in ["layer_norm1", "layer_norm2"] { pair("\(layer).\(name)", [hiddenSize]) }
            pair("\(layer).mlp.fc1", [intermediateSize, hiddenSize])
            pair("\(layer).mlp.fc2", [hiddenSize, intermediateSize])
        }
        pair("final_layer_norm", [hiddenSize])
        return list
    }
}

/// Gaussian numbers that were packed once for each type and deviation, from which tensors are put together.
private struct BlockPools {
    private struct Kind: Hashable {
        var type: GGUFTensorType
        var inputs: Int
    }

    /// Blocks of a pool: few enough to stay in the cache, enough that rows are as good as independent.
    private static let blockCount = 4096
    /// Numbers of a block of a type that has none.
    private static let plainBlock = 32

    private var pools: [Kind: Storage] = [:]
    private var random: Random
    private var sequence: UInt64

    init(seed: UInt64) {
        random = Random(seed: seed)
        sequence = seed &* 0x9E37_79B9_7F4A_7C15
    }

    mutating func tensor(_ plan: GGUFPlan) -> StoredTensor {
        if plan.shape.rank < 2 {
            let isScale = plan.name.hasSuffix("weight") || plan.name.hasSuffix("scale")
            return .plain(Tensor(full: plan.shape, isScale ? 1 : 0, dtype: plan.type.dtype!))
        }
        let inputs = plan.shape.dimensions.dropFirst().reduce(1, *)
        let pool = pool(Kind(type: plan.type, inputs: inputs))
        let elements = plan.type.quantization?.blockElements ?? 1
        let bytes = plan.shape.count / elements * plan.type.blockByteCount
        let target = Storage(byteCount: bytes)
        sequence &+= 0x9E37_79B9_7F4A_7C15
        let block = plan.type.quantization?.blockByteCount ?? Self.plainBlock * plan.type.dtype!.byteCount
        fill(target, from: pool, block: block, seed: sequence)
        if let format = plan.type.quantization {
            return .quantized(QuantizedTensor(storage: target, format: format, shape: plan.shape))
        }
        return .plain(Tensor(storage: target, dtype: plan.type.dtype!, shape: plan.shape))
    }

    private mutating func pool(_ kind: Kind) -> Storage {
        if let pool = pools[kind] { return pool }
        let block = kind.type.quantization?.blockElements ?? Self.plainBlock
        let numbers = random.randn([Self.blockCount, block]) * (1 / Float(kind.inputs).squareRoot())
        let pool =
            kind.type.quantization.map { QuantizedTensor(quantizing: numbers, to: $0).storage }
            ?? numbers.converted(to: kind.type.dtype!).storage
        pools[kind] = pool
        return pool
    }

    /// Blocks of the pool in random order, the same on any number of threads.
    private func fill(_ target: Storage, from pool: Storage, block: Int, seed: UInt64) {
        let piece = 1 << 12
        let blocks = (target.byteCount + block - 1) / block
        parallelFor((blocks + piece - 1) / piece, grain: 4) { pieces in
            for number in pieces {
                var state = seed ^ UInt64(number) &* 0xD134_2543_DE82_EF95
                for place in number * piece..<min((number + 1) * piece, blocks) {
                    // SplitMix64 (Steele et al. 2014).
                    state &+= 0x9E37_79B9_7F4A_7C15
                    var bits = (state ^ state >> 30) &* 0xBF58_476D_1CE4_E5B9
                    bits = (bits ^ bits >> 27) &* 0x94D0_49BB_1331_11EB
                    let source = Int((bits ^ bits >> 31) % UInt64(Self.blockCount)) * block
                    let start = place * block
                    (target.base + start).copyMemory(
                        from: pool.base + source, byteCount: min(block, target.byteCount - start))
                }
            }
        }
    }
}
