import Adapters
import ArgumentParser
import Autograd
import InContextEdit
import Models
import TensorCore
import TensorIO

/// `diptych velocity --base DIR --inputs in.safetensors -o out.safetensors`
struct VelocityCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "velocity",
        abstract: "Evaluates the transformer once on given tensors, to compare with other programs.",
        discussion: """
            The inputs are a safetensors file with hidden_states [B, S, in], encoder_hidden_states [B, T, d], \
            pooled_projections [B, p], timestep [B] in 0…1, guidance [B] for models that take it, and img_ids [S, 3]; the \
            output is one tensor, velocity [B, S, out]. The names are those of diffusers.
            """,
        shouldDisplay: false)

    @OptionGroup var common: CommonOptions

    @Option(name: .long, help: "The frozen pipeline: a folder in diffusers' layout.")
    var base: String

    @Option(name: .long, help: "An adapter: a .safetensors file, a checkpoint or a run's folder.")
    var adapter: String?

    @Option(name: .long, help: "The tensors to evaluate on.")
    var inputs: String

    @Option(name: .shortAndLong, help: "The file to write.")
    var output: String

    func run() throws {
        let pipeline = try FillPipeline(path: base)
        let adapters = try adapter.map { try AdapterSource.load($0, into: pipeline) }
        let file = try SafetensorsFile(path: inputs)
        let pooled = Variable(try file.tensor("pooled_projections"))
        adapters?.pooledText = pooled
        let text = try file.tensor("encoder_hidden_states")
        let input = FluxInput(
            latents: Variable(try file.tensor("hidden_states")), text: Variable(text), pooled: pooled,
            timestep: try file.tensor("timestep"),
            guidance: pipeline.transformer.configuration.guidanceEmbeds ? try file.tensor("guidance") : nil,
            imageIDs: try file.tensor("img_ids"), textIDs: Tensor(zeros: [text.shape[1], 3]))
        let velocity = withoutGradients { pipeline.transformer(input).value }
        try SafetensorsFile.write([("velocity", velocity)], metadata: [:], to: output)
    }
}
