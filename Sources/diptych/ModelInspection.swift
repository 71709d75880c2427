import Models
import NeuralNet
import TensorCore
import TensorIO

/// What models an archive holds, and what a pipeline still lacks.
struct ModelInspection {
    private let models: [ModelFile]

    init(_ archive: any TensorArchive) { models = ModelFile.models(in: archive) }

    /// Two or three lines for each model; none for an archive without one.
    var lines: [String] {
        var lines: [String] = []
        for model in models {
            lines.append("  \(model.part): \(model.summary), \(count(model))")
            do {
                let configuration = try model.configuration()
                try lines.append("    " + description(of: model, configuration))
                try model.check(configuration)
            } catch {
                lines.append("    does not fit: \(error)")
            }
        }
        if !models.isEmpty { lines.append("  " + missing) }
        return lines
    }

    /// `11,902,587,968 numbers (BF16 …)`.
    private func count(_ model: ModelFile) -> String {
        var counts: [String: Int] = [:]
        for name in model.archive.names {
            let info = model.archive.info(name)
            counts[info?.typeName ?? "unsupported", default: 0] += info?.shape.count ?? 0
        }
        let types = counts.sorted { $0.value > $1.value }.map { "\($0.key) \($0.value.grouped)" }
        return "\(counts.values.reduce(0, +).grouped) parameters (\(types.joined(separator: ", ")))"
    }

    private func description(of model: ModelFile, _ file: ConfigurationFile) throws -> String {
        switch model.part {
        case .transformer: return Self.description(of: try FluxConfiguration(file))
        case .vae:
            let it = try AutoencoderKLConfiguration(file)
            return
                "\(it.latentChannels) latent channels, one latent for \(it.downsampleFactor) x \(it.downsampleFactor) pixels"
        case .textEncoder:
            let it = try CLIPTextConfiguration(file)
            return "\(it.numHiddenLayers) layers of width \(it.hiddenSize), \(it.vocabSize.grouped) tokens"
        case .textEncoder2:
            let it = try T5Configuration(file)
            return "\(it.numLayers) layers of width \(it.dModel), \(it.vocabSize.grouped) tokens"
        case .tokenizer, .tokenizer2, .scheduler: return ""
        }
    }

    static func description(of it: FluxConfiguration) -> String {
        "\(it.variant ?? "no published FLUX.1 variant"): \(it.inChannels) channels in, \(it.outChannels) out, "
            + "\(it.numLayers) double and \(it.numSingleLayers) single blocks of width \(it.innerDimension), "
            + (it.guidanceEmbeds ? "with" : "without") + " guidance"
    }

    /// What a pipeline needs besides.
    private var missing: String {
        let flags: [(PipelineFolder.Part, String)] = [
            (.transformer, "--transformer"), (.vae, "--vae"), (.textEncoder, "--clip"), (.textEncoder2, "--t5"),
        ]
        let absent = flags.filter { part, _ in !models.contains { $0.part == part } }.map(\.1)
        let folder = "--base with the tokenizers"
        return "a pipeline also needs " + (absent + [folder]).joined(separator: ", ")
    }
}
