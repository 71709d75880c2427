public import Autograd
public import NeuralNet
public import TensorCore
public import TensorIO

/// What a FLUX transformer is asked about: `B` images of `S` packed latent tokens each and their `T` text tokens.
///
/// ``latents``, ``text`` and ``pooled`` may be of different floating-point types; the model computes in that of
/// ``latents``.
public struct FluxInput {
    /// `[B, S, in]`: noisy packed latents, and for [Fill] the packed masked image and mask behind them.
    public var latents: Variable
    /// `[B, T, joint]`: the hidden states of the T5 encoder.
    public var text: Variable
    /// `[B, P]`: the pooled output of the CLIP text encoder.
    public var pooled: Variable
    /// `[B]`, in 0…1, where 1 is pure noise.
    public var timestep: Tensor
    /// `[B]`: the guidance scale, for models with `guidance_embeds` and only for them.
    public var guidance: Tensor?
    /// `[S, 3]`: coordinates (image, row, column) of the latent tokens.
    public var imageIDs: Tensor
    /// `[T, 3]`: zeros.
    public var textIDs: Tensor
    /// How many of the latent tokens, from the first on, a velocity is wanted for.
    public var resultCount: Int

    /// Collects the input; without a `resultCount` all latent tokens have a result.
    public init(
        latents: Variable, text: Variable, pooled: Variable, timestep: Tensor, guidance: Tensor?, imageIDs: Tensor,
        textIDs: Tensor, resultCount: Int? = nil
    ) {
        self.latents = latents
        self.text = text
        self.pooled = pooled
        self.timestep = timestep
        self.guidance = guidance
        self.imageIDs = imageIDs
        self.textIDs = textIDs
        self.resultCount = resultCount ?? latents.shape[1]
    }
}

/// The rectified-flow transformer of FLUX.1: double-stream blocks, then single-stream blocks, over text and image tokens.
///
/// Modules bear the names of diffusers' `FluxTransformer2DModel`
/// (`diffusers/models/transformers/transformer_flux.py`); every product with a weight is a ``Linear``, so that adapters
/// can be placed by name. Weights stay in their file's type; activations have the type of the latents; norms, angles and
/// sums inside products are `float32`.
public final class FluxTransformer: Module {
    /// The model's proportions.
    public let configuration: FluxConfiguration
    /// Whether the states inside a block are computed again in the backward pass instead of kept.
    public var usesGradientCheckpointing = false

    private let latentEmbedder: Linear
    private let textEmbedder: Linear
    private let conditioningEmbedding: ConditioningEmbedding
    private let doubleBlocks: [DoubleStreamBlock]
    private let singleBlocks: [SingleStreamBlock]
    private let outputModulation: Modulation
    private let output: Linear
    /// Reads the blocks' weights ahead of their use.
    public let weightStream: WeightStream
    /// How memory is spent.
    public var memory: MemoryPolicy {
        get { weightStream.memory }
        set { weightStream.memory = newValue }
    }

    /// Takes the weights by diffusers' keys; the caller ends with `loader.finish()`.
    public init(_ configuration: FluxConfiguration, _ loader: WeightLoader) {
        let width = configuration.innerDimension
        self.configuration = configuration
        latentEmbedder = Linear(loader.scoped("x_embedder"), configuration.inChannels, width)
        textEmbedder = Linear(loader.scoped("context_embedder"), configuration.jointAttentionDim, width)
        conditioningEmbedding = ConditioningEmbedding(configuration, loader.scoped("time_text_embed"))
        doubleBlocks = (0..<configuration.numLayers).map {
            DoubleStreamBlock(configuration, loader.scoped("transformer_blocks", $0))
        }
        singleBlocks = (0..<configuration.numSingleLayers).map {
            SingleStreamBlock(configuration, loader.scoped("single_transformer_blocks", $0))
        }
        outputModulation = Modulation(loader.scoped("norm_out"), width, count: 2)
        output = Linear(loader.scoped("proj_out"), width, configuration.outChannels)
        weightStream = WeightStream(doubleBlocks as [any Module] + singleBlocks)
    }

    /// Loads a `transformer` folder of a diffusers pipeline: `config.json` and one or several safetensors files.
    ///
    /// Throws as ``load(_:configuration:)`` does, and ``FileError`` for a faulty `config.json`.
    public static func load(folder: String) throws -> FluxTransformer {
        let configuration = try FluxConfiguration(path: folder + "/config.json")
        return try load(openTensorArchive(folder), configuration: configuration)
    }

    /// Takes the weights from an archive with diffusers' keys.
    ///
    /// Throws ``FileError`` for a faulty file and ``WeightError`` with all keys that are missing, unexpected or of the
    /// wrong shape.
    public static func load(_ archive: any TensorArchive, configuration: FluxConfiguration) throws -> FluxTransformer {
        try loadWeights(archive) { FluxTransformer(configuration, $0) }
    }

    /// The parts, named as diffusers names them.
    public var children: [(name: String, module: any Module)] {
        [
            ("time_text_embed", conditioningEmbedding), ("context_embedder", textEmbedder),
            ("x_embedder", latentEmbedder),
        ] + doubleBlocks.enumerated().map { ("transformer_blocks.\($0.offset)", $0.element) }
            + singleBlocks.enumerated().map { ("single_transformer_blocks.\($0.offset)", $0.element) }
            + [("norm_out", outputModulation), ("proj_out", output)]
    }

    /// The velocity of the flow at `input`: `[B, resultCount, out]`, in the type of the latents.
    public func callAsFunction(_ input: FluxInput) -> Variable { evaluate(input) }

    /// What a state inside the model is: text and image tokens, or one sequence of both.
    package enum State {
        /// The modulation that all blocks share, `[B, D]`.
        case conditioning(Variable)
        /// After the double-stream block of this number: `[B, T, D]` and `[B, S, D]`.
        case double(Int, text: Variable, image: Variable)
        /// After the single-stream block of this number: `[B, T + S, D]`, after the last `[B, S, D]`: the image's tokens,
        /// unless a router that is trained reads them all.
        case single(Int, joint: Variable)
    }

    /// Like ``callAsFunction(_:)``, showing the states on the way.
    package func evaluate(_ input: FluxInput, observing: ((State) -> Void)? = nil) -> Variable {
        ForwardContext(pooledText: input.pooled).run { evaluateInContext(input, observing) }
    }

    private func evaluateInContext(_ input: FluxInput, _ observing: ((State) -> Void)?) -> Variable {
        check(input)
        let conditioning = conditioningEmbedding(
            timestep: input.timestep, guidance: input.guidance,
            pooled: input.pooled.converted(to: input.latents.dtype))
        observing?(.conditioning(conditioning))
        let ids = Tensor.concatenated(
            [input.textIDs.converted(to: .float32), input.imageIDs.converted(to: .float32)], axis: 0)
        let rotary = RotaryTable(ids: ids, axes: configuration.axesDimsRope)
        let modulations =
            doubleBlocks.map(\.modulations) + singleBlocks.map(\.modulations) + [[outputModulation]]
        let source = ModulationSource(modulations, of: conditioning, memory)

        var joint = joined(input, source, rotary: rotary, observing)
        for (index, block) in singleBlocks.enumerated() {
            // Nothing reads the text behind the last block.
            let first = index == singleBlocks.count - 1 ? input.text.shape[1] : 0
            joint =
                checkpointed(
                    doubleBlocks.count + index, [joint], source.part(doubleBlocks.count + index, block.modulations)
                ) {
                    [block($0[0], modulation: $1, rotary: rotary, resultsFrom: first)]
                }[0]
            observing?(.single(index, joint: joint))
        }
        let start = joint.shape[1] - input.latents.shape[1]
        let image = joint.sliced(axis: 1, start..<start + input.resultCount)
        let end = source.part(modulations.count - 1, [outputModulation])
        // Scale, shift: the other way round than in the blocks.
        let m = outputModulation.vectors(end.read(end.inputs)[0])
        return output(image.modulated(scale: m[0], shift: m[1]))
    }

    /// Text and image tokens after the double-stream blocks, in one sequence. The two end with this call, so that the
    /// single-stream blocks have their memory.
    private func joined(
        _ input: FluxInput, _ source: ModulationSource, rotary: RotaryTable, _ observing: ((State) -> Void)?
    ) -> Variable {
        var image = latentEmbedder(input.latents)
        var text = textEmbedder(input.text.converted(to: input.latents.dtype))
        for (index, block) in doubleBlocks.enumerated() {
            let results = checkpointed(index, [image, text], source.part(index, block.modulations)) {
                let result = block(image: $0[0], text: $0[1], modulation: $1, rotary: rotary)
                return [result.image, result.text]
            }
            (image, text) = (results[0], results[1])
            observing?(.double(index, text: text, image: image))
        }
        return Variable.concatenated([text, image], axis: 1)
    }

    /// Runs the block of a number, whose weights may have to be read first, on tokens and what its modulations give.
    private func checkpointed(
        _ index: Int, _ tokens: [Variable],
        _ modulation: (inputs: [Variable], read: ([Variable]) -> [Variable]),
        _ body: @escaping (_ tokens: [Variable], _ modulation: [Variable]) -> [Variable]
    ) -> [Variable] {
        let (stream, read, count) = (weightStream, modulation.read, tokens.count)
        let inputs = tokens + modulation.inputs
        // A block that runs again does so in the backward pass, outside of this one.
        let context = ForwardContext.current
        let block = { (inputs: [Variable]) -> [Variable] in
            stream.enter(index)
            return context.run { body(Array(inputs[..<count]), read(Array(inputs[count...]))) }
        }
        return usesGradientCheckpointing ? checkpoint(inputs, block) : block(inputs)
    }

    private func check(_ input: FluxInput) {
        let latents = input.latents.shape
        precondition(
            latents.rank == 3 && latents[2] == configuration.inChannels,
            "latents \(latents), not [B, S, \(configuration.inChannels)]")
        let (batch, text) = (latents[0], input.text.shape)
        precondition(
            text.rank == 3 && text[0] == batch && text[2] == configuration.jointAttentionDim,
            "text \(text), not [\(batch), T, \(configuration.jointAttentionDim)]")
        precondition(
            input.pooled.shape == [batch, configuration.pooledProjectionDim],
            "pooled text \(input.pooled.shape), not [\(batch), \(configuration.pooledProjectionDim)]")
        precondition(
            input.timestep.shape == [batch] && input.guidance?.shape ?? [batch] == [batch],
            "timestep and guidance must be [\(batch)]")
        precondition(
            input.resultCount >= 0 && input.resultCount <= latents[1],
            "\(input.resultCount) results of \(latents[1]) tokens")
        precondition(
            input.imageIDs.shape == [latents[1], 3] && input.textIDs.shape == [text[1], 3],
            "ids \(input.imageIDs.shape) and \(input.textIDs.shape), not [\(latents[1]), 3] and [\(text[1]), 3]")
    }
}
