import Models
import NeuralNet
import TensorCore
import TensorIO

/// What models an archive holds.
struct ModelInspection {
    private let models: [ModelFile]

    init(_ archive: any TensorArchive) { models = ModelFile.models(in: archive) }

    /// Says which models there are; nothing for an archive without one.
    func add(to report: inout InspectionReport) {
        if models.isEmpty { return }
        report.models = models.map { model in
            var entry = InspectionReport.Model(
                part: model.part.rawValue, layout: model.keyNaming.rawValue, prefix: model.prefix,
                summary: model.summary, tensors: .init(model.archive))
            do {
                let configuration = try model.configuration()
                entry.proportions = try description(of: model, configuration)
                try model.check(configuration)
            } catch {
                entry.fault = "\(error)"
            }
            return entry
        }
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
}
