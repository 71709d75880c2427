import Foundation
import NeuralNet
import TensorCore
public import TensorIO

/// Writes a FLUX transformer or a T5 text encoder as a GGUF file, most of its weights quantised, as ComfyUI-GGUF's
/// converter does (github.com/city96/ComfyUI-GGUF): matrices in the format asked for; vectors and tensors of at most 1,024
/// numbers in `F32`; FLUX's input and output layers in the type that they had.
///
/// ```swift
/// let quantizer = try ModelQuantizer("FLUX.1-Fill-dev", format: .q4K)
/// try quantizer.write(to: "flux1-fill-dev-Q4_K.gguf") { print($0.name, $0.relativeError) }
/// ```
public struct ModelQuantizer {
    /// What became of one tensor.
    public struct Report: Sendable {
        /// The tensor's name in the new file.
        public let name: String
        /// The type that it had.
        public let source: String
        /// What it has now.
        public let plan: GGUFPlan
        /// The norm of the difference over the norm of the numbers; 0 where nothing was lost.
        public let relativeError: Double
        /// The sums of squares that it is made of.
        public let squares: (error: Double, numbers: Double)
    }

    /// The model that is written.
    public let part: PipelineFolder.Part
    /// The tensors of the new file.
    public let plans: [GGUFPlan]
    private let archive: any TensorArchive
    private let keyMappings: [String: KeyMapping]
    private let metadata: [(key: String, value: GGUFValue)]

    /// Tensors of no more numbers stay in `F32`.
    private static let smallCount = 1024
    /// FLUX's layers that carry little weight and much of the error.
    private static let keptLayers = ["img_in.", "txt_in.", "time_in.", "vector_in.", "guidance_in.", "final_layer."]
    private static let fileTypes: [GGUFTensorType: UInt32] = Dictionary(
        uniqueKeysWithValues: [
            ("F32", 0), ("F16", 1), ("Q4_0", 2), ("Q8_0", 7), ("Q4_K", 14), ("Q5_K", 16), ("Q6_K", 18), ("BF16", 32),
        ].map { (GGUFTensorType(name: $0.0)!, $0.1) })

    /// The types that a file can be written in, as the command line spells them.
    public static let types = ["q8_0", "q4_0", "q4_k", "q5_k", "q6_k", "f16", "bf16", "f32"]

    /// Opens a model: a file in any key naming, a part's folder or a whole pipeline folder, whose transformer is taken unless
    /// `part` says otherwise.
    ///
    /// Throws `FileError` when there is no such model, when it is neither a transformer nor a T5 encoder, or when
    /// `type` is none of ``types``; `WeightError` when its tensors are not what they should be.
    ///
    /// A T5 encoder's file holds its tokenizer too: the one of the folder `tokenizer`, else of `tokenizer_2` in or beside
    /// `path`, else that of a GGUF file.
    public init(
        _ path: String, type: String, part: PipelineFolder.Part? = nil, tokenizer: String? = nil
    ) throws {
        let target = try Self.targetType(type)
        let source = try Source(path, part: part)
        let (list, architecture) = try source.target()
        self.part = source.part
        archive = source.archive
        keyMappings = Dictionary(uniqueKeysWithValues: list.map { ($0.source, $0) })
        plans = try list.map { mapping in
            guard let info = source.archive.info(mapping.parts[0].name) else {
                throw FileError(path, key: mapping.parts[0].name, expected: "a tensor of the model", found: "none")
            }
            guard info.dtype.isFloatingPoint else {
                throw FileError(
                    path, key: mapping.parts[0].name, expected: "a floating-point type", found: "\(info.dtype)")
            }
            let shape = mapping.sourceShape
            let type = Self.type(of: mapping.source, shape, info, target: target)
            return GGUFPlan(name: mapping.source, type: type, shape: shape)
        }
        var metadata: [(key: String, value: GGUFValue)] = try [
            ("general.architecture", .string(architecture)), ("general.quantization_version", .uint32(2)),
            (ModelFile.configurationKey, .string(source.file.text())),
        ]
        if source.part == .textEncoder2 { metadata += try Self.tokenizer(of: path, folder: tokenizer) }
        if let code = Self.fileTypes[target] { metadata.append(("general.file_type", .uint32(code))) }
        self.metadata = metadata
    }

    /// The metadata of T5's tokenizer; none where no `spiece.model` and no such metadata is found.
    private static func tokenizer(of path: String, folder: String?) throws -> [(key: String, value: GGUFValue)] {
        let name = "spiece.model"
        if let folder { return try SentencePieceFile("\(folder)/\(name)").ggufMetadata() }
        let manager = FileManager.default
        let parent = URL(filePath: path).deletingLastPathComponent().path
        let beside = ["\(path)/tokenizer_2", "\(parent)/tokenizer_2"].map { "\($0)/\(name)" }
        if let file = beside.first(where: manager.fileExists(atPath:)) {
            return try SentencePieceFile(file).ggufMetadata()
        }
        var isFolder: ObjCBool = false
        guard manager.fileExists(atPath: path, isDirectory: &isFolder), !isFolder.boolValue, try GGUFFile.isGGUF(path)
        else { return [] }
        let file = try GGUFFile(path: path)
        return file.metadataKeys.filter { $0.hasPrefix("tokenizer.ggml.") }.map { ($0, file.metadata[$0]!) }
    }

    /// The type of a name among ``types``. Throws `FileError` for any other.
    static func targetType(_ name: String) throws -> GGUFTensorType {
        guard types.contains(name.lowercased()), let target = GGUFTensorType(name: name.uppercased()) else {
            throw FileError(
                "--type", expected: types.joined(separator: ", "), found: "'\(name)'",
                nearest: nearestName(to: name, among: types))
        }
        return target
    }

    /// Which type a tensor gets.
    static func type(
        of name: String, _ shape: Shape, _ info: TensorInfo, target: GGUFTensorType
    ) -> GGUFTensorType {
        let single = GGUFTensorType(.float32)!
        if shape.rank < 2 || shape.count <= smallCount || name.contains("attn_rel_b") { return single }
        let own = info.quantization == nil ? GGUFTensorType(info.dtype) ?? single : GGUFTensorType(.bfloat16)!
        if target.quantization == nil { return target }
        if keptLayers.contains(where: name.hasPrefix) { return own }
        let columns = shape[shape.rank - 1]
        if columns % target.blockElements == 0 { return target }
        // Rows that no K block divides lose least in eight bits.
        let fallback = GGUFTensorType(.q80)!
        return columns % fallback.blockElements == 0 ? fallback : own
    }

    /// Writes the file, which replaces `path` when it is whole; `progress` hears of each tensor when it is done.
    ///
    /// Gives what became zero. Throws `FileError` when a weight is not finite or too large for its new type, or when the file
    /// cannot be written.
    @discardableResult
    public func write(to path: String, progress: (Report) throws -> Void) throws -> Narrowing {
        var narrowing = Narrowing()
        try GGUFFile.write(metadata: metadata, tensors: plans, to: path) { plan in
            let mapping = keyMappings[plan.name]!
            let parts = try mapping.parts.map { try archive.tensor($0.name) }
            let info = archive.info(mapping.parts[0].name)!
            var joined = parts.count == 1 ? parts[0] : Tensor.concatenated(parts, axis: 0)
            if mapping.swapsHalves {
                joined = StoredTensor.plain(joined).withHalvesSwapped().expanded(to: joined.dtype)
            }
            let numbers = joined.converted(to: .float32)
            let result: StoredTensor
            if let format = plan.type.quantization {
                result = .quantized(
                    try narrowing.quantize(numbers, to: format, path: archive.path, key: plan.name))
            } else {
                result = .plain(
                    try narrowing.convert(numbers, to: plan.type.dtype!, path: archive.path, key: plan.name))
            }
            let squares = Self.squares(result, numbers)
            let error = squares.numbers > 0 ? (squares.error / squares.numbers).squareRoot() : 0
            try progress(
                Report(
                    name: plan.name, source: info.typeName, plan: plan, relativeError: error, squares: squares))
            return result
        }
        return narrowing
    }

    private static func squares(_ result: StoredTensor, _ numbers: Tensor) -> (error: Double, numbers: Double) {
        switch result {
        case .quantized(let blocks): blocks.squares(besides: numbers)
        case .plain(let tensor):
            tensor.converted(to: .float32).squares(besides: numbers)
        }
    }
}

/// A model that can be written, wherever it lies.
private struct Source {
    let part: PipelineFolder.Part
    /// Under the model's own names.
    let archive: any TensorArchive
    let file: ConfigurationFile
    private let model: ModelFile

    init(_ path: String, part wanted: PipelineFolder.Part?) throws {
        let manager = FileManager.default
        var folder = path
        if manager.fileExists(atPath: path + "/model_index.json") {
            folder = try PipelineFolder(path: path).folder(of: wanted ?? .transformer)
        }
        let models = ModelFile.models(in: try openTensorArchive(folder))
        let fitting = models.filter { wanted == nil || $0.part == wanted }
        guard let model = fitting.first, model.part == .transformer || model.part == .textEncoder2 else {
            let found = models.map(\.summary).joined(separator: ", ")
            throw FileError(
                path, expected: (wanted ?? .transformer).title + (wanted == nil ? " or a T5 text encoder" : ""),
                found: found.isEmpty ? "no model that is known" : found)
        }
        guard fitting.count == 1 else {
            throw FileError(
                path, expected: "one model, or --part to choose", found: models.map(\.summary).joined(separator: ", "))
        }
        part = model.part
        file = try model.configuration()
        try model.check(file)
        archive = try model.modelArchive(file)
        self.model = model
    }

    /// How the new file keeps the model, and ggml's name for it.
    func target() throws -> ([KeyMapping], architecture: String) {
        part == .transformer
            ? (try FluxConfiguration(file).blackForestKeyMappings, "flux")
            : (try T5Configuration(file).llamaKeyMappings(tokenTable: model.tokenTable(archive)), "t5encoder")
    }
}
