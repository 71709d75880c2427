public import Adapters
import InContextEdit
public import TensorCore
import TensorIO

/// A trained adapter, or another program's, as a safetensors file in a format of choice.
///
/// ```swift
/// let export = try AdapterExport("Runs/mine", as: .kohya)
/// try export.write(to: "adapter.safetensors")
/// ```
public struct AdapterExport {
    /// The format.
    public let format: AdapterFormat
    /// The tensors under their keys, and what the format says of them.
    public let contents: ExportedAdapters
    /// What is known of the adapter's making.
    public let metadata: ExportMetadata
    /// Where the weights come from, in a few words: `step 300`, `from style.safetensors`.
    public let origin: String
    /// What the source's file holds that is not used, one sentence each.
    public let sourceNotices: [String]

    /// Which programs read the file, and what they will not see of the adapter; one sentence each.
    public var notices: [String] { [format.readers] + contents.notices }

    /// Collects what is written.
    public init(
        _ contents: ExportedAdapters, as format: AdapterFormat, metadata: ExportMetadata, origin: String,
        sourceNotices: [String] = []
    ) {
        self.format = format
        self.contents = contents
        self.metadata = metadata
        self.origin = origin
        self.sourceNotices = sourceNotices
    }

    /// Reads the adapter at `path`: a run's folder, a checkpoint, or a file in any format.
    ///
    /// `base` is the transformer's file or folder, for its proportions; without it the adapter's own layers tell them, as far
    /// as a model like FLUX.1 [Fill] goes. `average` takes the moving average of a run's weights instead of the last ones.
    /// Throws `FileError` for files that cannot be read, for a run without the average, and when a number is too large
    /// for `dtype`; `AdapterError.unwritable(format:reason:)` when the format cannot hold the adapter.
    public init(
        _ path: String, as format: AdapterFormat = .peft, dtype: DType = .float32, base: String? = nil,
        average: Bool = false
    ) throws {
        if let file = AdapterSource.safetensorsFile(path) {
            guard !average else {
                throw FileError(path, key: "average", expected: "a run or a checkpoint", found: "an adapter file")
            }
            try self.init(file: file, as: format, dtype: dtype, base: base)
        } else {
            try self.init(
                checkpoint: RunFolder.checkpoint(at: path), as: format, dtype: dtype, base: base, average: average)
        }
    }

    private init(checkpoint path: String, as format: AdapterFormat, dtype: DType, base: String?, average: Bool) throws {
        let checkpoint = try RunCheckpoint(path: path)
        let run = try RunConfiguration.parse(checkpoint.configuration, file: path)
        var parameters = checkpoint.parameters
        if average {
            guard let averages = checkpoint.averagedParameters else {
                throw FileError(
                    path, key: "average", expected: "a run with training.ema_decay", found: "no moving average")
            }
            parameters = averages
        }
        // Other formats need the names of the model's authors.
        let needsNames = format == .kohya || format == .comfyui
        let naming = { try AdapterNaming.flux(base: base, adaptedBy: parameters) }
        let contents = try ExportedAdapters(
            parameters: parameters, configuration: run.adapterConfiguration, format: format,
            naming: needsNames ? naming() : (try? naming()) ?? AdapterNaming(), dtype: dtype)
        self.init(
            contents, as: format, metadata: ExportMetadata(run, checkpoint), origin: "step \(checkpoint.step)")
    }

    private init(file path: String, as format: AdapterFormat, dtype: DType, base: String?) throws {
        let file = try SafetensorsFile(path: path)
        let naming = try AdapterNaming.flux(base: base, adaptedBy: file)
        let pooledWidth = file.names.first { $0.hasSuffix("lora_route_pooled.weight") }
            .flatMap { file.info($0)?.shape.dimensions.last }
        let adapter = try AdapterFile(file, naming: naming, pooledWidth: pooledWidth)
        self.init(
            try adapter.exported(as: format, dtype: dtype), as: format, metadata: ExportMetadata(file.metadata),
            origin: "from \(path)", sourceNotices: adapter.notices)
    }

    /// Writes the file, which replaces `output` when it is whole. Throws `FileError` when it cannot be written.
    public func write(to output: String) throws {
        let header = contents.metadata.merging(metadata.header(for: format, output: output)) { ours, _ in ours }
        try SafetensorsFile.write(contents.tensors, metadata: header, to: output)
    }

    /// How many numbers the file holds.
    public var elementCount: Int { contents.tensors.reduce(0) { $0 + $1.tensor.count } }
}
