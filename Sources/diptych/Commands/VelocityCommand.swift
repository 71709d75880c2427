import Adapters
import ArgumentParser
import Autograd
import InContextEdit
import Models
import TensorCore
import TensorIO
import Training

/// `diptych velocity --base DIR --inputs in.safetensors -o out.safetensors`
struct VelocityCommand: Subcommand {
    static let configuration = CommandConfiguration(
        commandName: "velocity",
        abstract: "Evaluates the transformer once on given tensors, to compare with other programs.",
        discussion: """
            The inputs are a safetensors file with hidden_states [B, S, in], encoder_hidden_states [B, T, d], \
            pooled_projections [B, p], timestep [B] in 0…1, guidance [B] for models that take it, and img_ids [S, 3]; the \
            output is one tensor, velocity [B, S, out]. The names are those of diffusers.
            """,
        examples: [
            CommandExample(
                "with the inputs of another program",
                "diptych velocity --base FLUX.1-Fill-dev --inputs inputs.safetensors -o velocity.safetensors")
        ],
        shouldDisplay: false)

    @OptionGroup var common: CommonOptions

    @OptionGroup var base: BaseOptions

    @Option(name: .long, help: "An adapter: a .safetensors file, a checkpoint or a run's folder; ':0.8' scales it.")
    var adapter: [AdapterArgument] = []

    @Option(name: .long, help: "The tensors to evaluate on.")
    var inputs: String

    @Option(name: .shortAndLong, help: "The file to write.")
    var output: String

    func validate() throws {
        if let fault = adapter.compactMap(\.fault).first { throw ValidationError(fault) }
    }

    func run() throws {
        var files = InputFiles()
        files.add(base.parts)
        files.add(adapter)
        files.add(inputs, "the inputs")
        try files.requireOutput(output)
        let pipeline = try EditPipeline(base.parts, framework: base.chosenFramework())
        let adapters = try AdapterSource.load(adapter.map(\.source), into: pipeline)
        let file = try SafetensorsFile(path: inputs)
        let model = pipeline.transformer.configuration
        // The first two tensors decide the sizes that the others must agree on; -1 is any size.
        let latents = try Self.tensor("hidden_states", [-1, -1, model.inChannels], in: file)
        let (batch, tokens) = (latents.shape[0], latents.shape[1])
        let text = try Self.tensor("encoder_hidden_states", [batch, -1, model.jointAttentionDim], in: file)
        let pooled = Variable(
            try Self.tensor("pooled_projections", [batch, model.pooledProjectionDim], in: file))
        let input = FluxInput(
            latents: Variable(latents), text: Variable(text), pooled: pooled,
            timestep: try Self.tensor("timestep", [batch], in: file),
            guidance: model.guidanceEmbeds ? try Self.tensor("guidance", [batch], in: file) : nil,
            imageIDs: try Self.tensor("img_ids", [tokens, 3], in: file),
            textIDs: Tensor(zeros: [text.shape[1], 3]))
        func evaluate() -> Tensor { withoutGradients { pipeline.transformer(input).value } }
        let velocity = evaluate()
        guard velocity.isFinite else {
            throw VelocityFault(pipeline, adapters: adapters, precision: latents.dtype).error(when: "", evaluate)
        }
        try SafetensorsFile.write([("velocity", velocity)], metadata: [:], to: output)
    }

    /// A `float32` tensor of a shape in which -1 stands for any size above 0.
    private static func tensor(_ name: String, _ shape: [Int], in file: SafetensorsFile) throws -> Tensor {
        let tensor = try file.tensor(name)
        let found = tensor.shape
        let fits =
            found.rank == shape.count
            && shape.indices.allSatisfy { shape[$0] == -1 ? found[$0] > 0 : shape[$0] == found[$0] }
        guard fits, tensor.dtype == .float32 else {
            let sizes = shape.map { $0 == -1 ? "any" : String($0) }.joined(separator: ", ")
            throw FileError(
                file.path, key: name, expected: "float32 [\(sizes)]", found: "\(tensor.dtype) \(found)")
        }
        return tensor
    }
}
