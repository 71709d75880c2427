public import Adapters
public import Models
import NeuralNet
public import TensorIO

extension AdapterNaming {
    /// The names of FLUX's layers: diffusers', which the model has, and Black Forest Labs', which kohya's and ComfyUI's files
    /// have.
    public static func flux(_ configuration: FluxConfiguration) -> AdapterNaming {
        AdapterNaming(component: "transformer", arrangements: configuration.blackForestArrangements)
    }

    /// The names and extents of FLUX's layers as far as an adapter file tells them: the width from the first layer of a
    /// block, the rest as FLUX.1 [Fill] has it.
    ///
    /// Throws ``FileError`` when the file adapts no layer of a block or its extents are none of FLUX's; ``FluxConfiguration``
    /// of the base is needed then.
    public static func flux(adaptedBy archive: any TensorArchive) throws -> AdapterNaming {
        var configuration = FluxConfiguration()
        configuration.inChannels = 384
        configuration.guidanceEmbeds = true
        (configuration.numAttentionHeads, configuration.attentionHeadDim) = (1, 1)
        let unit = AdapterNaming.flux(configuration)
        guard let width = try unit.width(of: archive), width > 0 else {
            throw FileError(
                archive.path, expected: "an adapter of a block of FLUX, or --base to tell the model's proportions",
                found: "neither")
        }
        configuration.attentionHeadDim = width
        return .flux(configuration)
    }
}
