public import InContextEdit
public import Models
public import Optimizers
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

    /// A fresh optimizer.
    public func makeOptimizer() -> any Optimizers.Optimizer {
        let o = optimizer
        switch o.name {
        case .adamw:
            return AdamW(
                AdamW.Options(beta1: o.betas[0], beta2: o.betas[1], epsilon: o.epsilon, weightDecay: o.weightDecay))
        case .prodigy:
            return Prodigy(
                Prodigy.Options(
                    beta1: o.betas[0], beta2: o.betas[1], epsilon: o.epsilon, weightDecay: o.weightDecay,
                    initialD: o.d0, dCoefficient: o.dCoef, usesBiasCorrection: o.biasCorrection,
                    safeguardsWarmup: o.safeguardWarmup))
        }
    }

    /// The learning rate of each step.
    public var learningRateSchedule: LearningRateSchedule {
        return LearningRateSchedule(
            schedule.name, peak: optimizer.learningRate, warmupSteps: schedule.warmupSteps, totalSteps: training.steps)
    }
}

extension RunConfiguration.Base {
    /// Where the pipeline's parts lie.
    public var parts: PipelineParts {
        PipelineParts(folder: path, transformer: transformer, vae: vae, clip: clip, t5: t5)
    }
}
