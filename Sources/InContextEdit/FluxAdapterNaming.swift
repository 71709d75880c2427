public import Adapters
public import Models
import NeuralNet
public import TensorIO

extension AdapterNaming {
    /// The names of FLUX's layers: diffusers', which the model has, and Black Forest Labs', which kohya's and ComfyUI's files
    /// have.
    public static func flux(_ configuration: FluxConfiguration) -> AdapterNaming {
        AdapterNaming(
            component: "transformer", keyMappings: configuration.blackForestKeyMappings,
            entrance: configuration.entrance)
    }

    /// The names and extents of FLUX's layers as far as an adapter file tells them: the width from the first layer of a
    /// block, the inputs from `x_embedder` where the file adapts it, the rest as FLUX.1 [Fill] has it.
    ///
    /// Throws `FileError` when the file adapts no layer of a block or its extents are none of FLUX's; `FluxConfiguration`
    /// of the base is needed then.
    public static func flux(adaptedBy archive: any TensorArchive) throws -> AdapterNaming {
        var configuration = FluxConfiguration()
        configuration.inChannels = 2 * configuration.outChannels + FluxConfiguration.maskChannels
        configuration.guidanceEmbeds = true
        (configuration.numAttentionHeads, configuration.attentionHeadDim) = (1, 1)
        let unit = AdapterNaming.flux(configuration)
        guard let width = try unit.width(of: archive), width > 0 else {
            throw FileError(
                archive.path, expected: "an adapter of a block of FLUX, or --base to tell the model's proportions",
                found: "neither")
        }
        configuration.attentionHeadDim = width
        let fill = AdapterNaming.flux(configuration)
        if let inputs = try fill.entranceInputs(of: archive), fill.entrance?.owners[inputs] != nil {
            configuration.inChannels = inputs
        }
        return .flux(configuration)
    }
}

extension FluxConfiguration {
    /// The layer that the models of FLUX.1 have with other inputs: the noisy latents, and behind them what a model is given
    /// besides, which in no two models is the same.
    fileprivate var entrance: AdapterNaming.Entrance {
        var relative = self
        var owners: [Int: String] = [:]
        for inputs in [outChannels, 2 * outChannels, 2 * outChannels + Self.maskChannels] {
            relative.inChannels = inputs
            owners[inputs] = inputs == outChannels ? "FLUX.1 [dev] or [schnell]" : relative.variant
        }
        return AdapterNaming.Entrance(layer: "x_embedder", shared: outChannels, owners: owners)
    }
}
