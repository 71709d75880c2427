import Foundation
import TensorIO

/// A FLUX pipeline in diffusers' layout: `model_index.json` and one folder for each part.
///
/// ```swift
/// let pipeline = try PipelineFolder(path: "FLUX.1-Fill-dev", requiring: [.transformer, .vae])
/// let transformer = try pipeline.loadTransformer()
/// ```
public struct PipelineFolder: Hashable, Sendable {
    /// A part of the pipeline, by the name of its folder.
    public enum Part: String, CaseIterable, Sendable, CustomStringConvertible {
        case transformer, vae, tokenizer, scheduler
        case textEncoder = "text_encoder"
        case textEncoder2 = "text_encoder_2"
        case tokenizer2 = "tokenizer_2"

        /// The classes of diffusers and transformers that this toolkit can take the part's place of.
        public var classes: [String] {
            switch self {
            case .transformer: ["FluxTransformer2DModel"]
            case .vae: ["AutoencoderKL"]
            case .tokenizer: ["CLIPTokenizer", "CLIPTokenizerFast"]
            case .scheduler: ["FlowMatchEulerDiscreteScheduler"]
            case .textEncoder: ["CLIPTextModel"]
            case .textEncoder2: ["T5EncoderModel"]
            case .tokenizer2: ["T5TokenizerFast", "T5Tokenizer"]
            }
        }

        /// The folder's name.
        public var description: String { rawValue }

        fileprivate var expected: String { "\(self) (\(classes.joined(separator: " or ")))" }
    }

    /// The pipelines whose parts fit together as this toolkit runs them.
    public static let pipelineClasses = [
        "FluxFillPipeline", "FluxKontextPipeline", "FluxPipeline", "FluxInpaintPipeline", "FluxImg2ImgPipeline",
    ]

    /// The folder.
    public let path: String
    /// The pipeline's class: `FluxFillPipeline`, for example.
    public let pipelineClass: String
    /// The class that `model_index.json` claims for each part that it names.
    public let classes: [Part: String]

    private var indexPath: String { path + "/model_index.json" }

    /// Reads `model_index.json` and checks that its parts are of the right classes and that the `required` ones are there.
    ///
    /// Throws ``FileError`` that names what was expected: the folder, its index, the pipeline's or a part's class, or all
    /// parts that are missing.
    public init(path: String, requiring required: [Part] = []) throws {
        self.path = path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
        let indexPath = self.path + "/model_index.json"
        guard FileManager.default.fileExists(atPath: indexPath) else {
            throw FileError(
                path, expected: "the folder of a diffusers pipeline with model_index.json",
                found: Self.description(ofFolder: self.path))
        }
        let index = try ConfigurationFile(path: indexPath)
        pipelineClass = try index.text("_class_name")
        guard Self.pipelineClasses.contains(pipelineClass) else {
            throw index.fault("_class_name", expected: Self.pipelineClasses.joined(separator: " or "))
        }
        var classes: [Part: String] = [:]
        for part in Part.allCases where !index.isAbsent(part.rawValue) {
            let entry = try index.texts(part.rawValue)
            guard entry.count == 2 else {
                throw index.fault(part.rawValue, expected: "a library and a class: \(part.expected)")
            }
            guard let found = entry[1] else { continue }  // [null, null]: saved without this part
            guard part.classes.contains(found) else {
                throw index.fault(part.rawValue, expected: part.classes.joined(separator: " or "))
            }
            classes[part] = found
        }
        self.classes = classes
        let missing = required.filter { !contains($0) }
        if !missing.isEmpty {
            throw FileError(
                self.path, expected: "the parts " + missing.map(\.expected).joined(separator: ", "),
                found: parts.isEmpty ? "none" : "only " + parts.map(\.rawValue).joined(separator: ", "))
        }
    }

    /// The parts that the index names and whose folders are there.
    public var parts: [Part] { Part.allCases.filter(contains) }

    /// Whether the index names the part and its folder is there.
    public func contains(_ part: Part) -> Bool {
        classes[part] != nil && Self.isFolder("\(path)/\(part)")
    }

    /// The folder of a part; throws ``FileError`` when the pipeline lacks it.
    public func folder(of part: Part) throws -> String {
        guard classes[part] != nil else {
            throw FileError(indexPath, key: part.rawValue, expected: "the part \(part.expected)", found: "nothing")
        }
        guard contains(part) else {
            throw FileError("\(path)/\(part)", expected: "the folder of \(part.expected)", found: "nothing there")
        }
        return "\(path)/\(part)"
    }

    /// Loads the transformer; see ``FluxTransformer/load(folder:)``.
    public func loadTransformer() throws -> FluxTransformer {
        try FluxTransformer.load(folder: folder(of: .transformer))
    }

    /// Reads the scheduler's settings; see ``SchedulerConfiguration/init(path:)``.
    public func loadScheduler() throws -> SchedulerConfiguration {
        try SchedulerConfiguration(path: folder(of: .scheduler) + "/scheduler_config.json")
    }

    private static func isFolder(_ path: String) -> Bool {
        var isFolder: ObjCBool = false
        return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) && isFolder.boolValue
    }

    private static func description(ofFolder path: String) -> String {
        if isFolder(path) {
            let isPart = FileManager.default.fileExists(atPath: path + "/config.json")
            return isPart ? "a folder with config.json, one part of a pipeline" : "a folder without it"
        }
        return FileManager.default.fileExists(atPath: path) ? "a file" : "nothing there"
    }
}
