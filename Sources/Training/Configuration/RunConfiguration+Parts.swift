public import InContextEdit
public import Models
import Optimizers
public import TensorCore

/// What the sections of a configuration mean to the parts of a run.
extension RunConfiguration {
    /// The type of the activations.
    public var dtype: DType { base.precision.dtype }

    /// How the frozen encoders compute.
    public var pipelineEncoders: EncoderOptions {
        var options = EncoderOptions()
        options.vaeType = base.vaePrecision.dtype
        options.tiling = AutoencoderTiling(mode: base.vaeTiling, tileSize: base.vaeTileSize)
        options.textType = base.textEncoderPrecision.dtype
        return options
    }
}

extension RunConfiguration.Base {
    /// Where the pipeline's parts lie.
    public var parts: PipelineParts {
        PipelineParts(folder: path, transformer: transformer, vae: vae, clip: clip, t5: t5)
    }
}
