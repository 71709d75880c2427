public import NeuralNet
public import TensorCore
public import TensorIO

extension AdapterSet {
    /// Puts the adapters of a file beside the layers that its keys name.
    ///
    /// Reads the formats of ``AdapterFormat`` and those of OneTrainer, ai-toolkit and SimpleTuner's LoRAs: the model's own
    /// names or, where `naming` has them, those of its authors, whose fused layers are taken apart exactly
    /// (``AdapterNaming/LayerMapping``); with dots or underscores; with or without the component, PEFT's
    /// `base_model.model.` and `.default`, ComfyUI's `diffusion_model.`; tensors as each method names them (``AdapterMethod/tensorNames``).
    /// Weights are of any floating-point type, `float32` in the model. A LoRA's alpha comes from a scalar `{layer}.alpha` of any
    /// type of numbers or from PEFT's configuration, in the header or in `adapter_config.json` beside the file, and equals the
    /// rank without them. What adapts the entrance of a relative with fewer inputs is placed on the first of them
    /// (``AdapterNaming/Entrance``). A mixture runs with what this toolkit noted in the
    /// header, without a note as ICEdit's released weights do (``RoutingOptions/upstream``); `routing` overrides both.
    /// `metadata` is the file's header, taken from a `SafetensorsFile` by itself. `besideOthers` lets other sets stand in the model already.
    ///
    /// Throws `FileError` for a key that belongs to no format or no layer, for a missing tensor, a wrong shape or type,
    /// and for malformed metadata; ``AdapterError`` when a layer already has an adapter.
    public convenience init(
        loading archive: any TensorArchive, metadata: [String: String]? = nil, into model: any Module,
        naming: AdapterNaming = AdapterNaming(), pooledWidth: Int? = nil, routing: RoutingOptions? = nil,
        besideOthers: Bool = false
    ) throws {
        let contents = try AdapterReader(
            archive, header: try AdapterHeader(archive, metadata, naming: naming), layers: model.layerExtents,
            naming: naming, pooledWidth: pooledWidth, routing: routing
        ).contents()
        try self.init(contents.layers, in: model, besideOthers: besideOthers)
        notices = contents.notices
        path = archive.path
    }

    /// Puts the adapters of a file that is read already into `model`, whose layers must be those that it was read for.
    ///
    /// Throws ``AdapterError`` when a layer already has an adapter and `besideOthers` does not allow it.
    public convenience init(_ file: AdapterFile, into model: any Module, besideOthers: Bool = false) throws {
        try self.init(file.layers, in: model, besideOthers: besideOthers)
        notices = file.notices
        path = file.path
    }

    /// Writes the adapters as trained (``strength`` is not part of the file) to a `.safetensors` file that replaces `path`
    /// only when it is whole.
    ///
    /// Gives what a reader of the format should know, one sentence each. Throws ``AdapterError/unwritable(format:reason:)``
    /// when the format cannot hold the adapters, and `FileError` when a number is too large for `dtype` or the file cannot
    /// be written.
    @discardableResult
    public func write(
        to path: String, format: AdapterFormat, naming: AdapterNaming = AdapterNaming(), dtype: DType = .float32,
        metadata: [String: String] = [:]
    ) throws -> [String] {
        let contents = try exported(as: format, naming: naming, dtype: dtype)
        let header = metadata.merging(contents.metadata) { _, ours in ours }
        try SafetensorsFile.write(contents.tensors, metadata: header, to: path)
        return contents.notices
    }

    /// What ``write(to:format:naming:dtype:metadata:)`` puts into the file.
    public func exported(
        as format: AdapterFormat, naming: AdapterNaming = AdapterNaming(), dtype: DType = .float32
    ) throws -> ExportedAdapters {
        var writer = AdapterWriter(path: path ?? "adapter", format: format, naming: naming, dtype: dtype)
        for member in members { try writer.add(AdaptedLayer(name: member.name, weights: member.adapter.weights)) }
        return try writer.finish()
    }
}

/// The contents of an adapter file.
public struct ExportedAdapters: Sendable {
    /// Every tensor under its key.
    public var tensors: [(name: String, tensor: Tensor)]
    /// The header's entries.
    public var metadata: [String: String]
    /// What a reader of the format should know, one sentence each.
    public var notices: [String]
}
