import Adapters
import DiptychData
public import InContextEdit
public import Models
import Optimizers
import TensorCore

extension AdapterTask {
    /// What the run will need: once for the encoders, then for each step.
    public func memoryPlan(isStreamed: Bool, tiling: AutoencoderTiling) -> MemoryPlan {
        let (data, training) = (configuration.data, configuration.training)
        let weights = FrozenWeights(transformer, vae: encoders?.vae, textEncoders: encoders?.textEncoders)
        let shapes = configuration.encoderOptions.shapes
        let geometry = shapes.max { $0.pairTokenCount < $1.pairTokenCount }!
        let model = transformer.configuration
        let text = encoders.map {
            MemoryEstimate.textEncoding(
                $0.textEncoders.t5.configuration, length: data.maxSequenceLength, $0.options.textType)
        }
        // The largest canvas may be coded in tiles and take less than another.
        let image = encoders.map { encoders in
            shapes.map {
                MemoryEstimate.imageCoding(
                    encoders.vae.configuration, height: $0.canvasHeight, width: $0.canvasWidth,
                    encoders.options.vaeType, tiling: tiling)
            }.max()!
        }
        // Latents of the canvas and of the source; and the text.
        let pictures = 4 * geometry.tokenCount * 2 * model.outChannels
        let words = 4 * data.maxSequenceLength * model.jointAttentionDim
        let sample = pictures + words
        // What the model is given of a sample, besides its latents.
        let told = 4 * geometry.pairTokenCount * (model.outChannels + model.inChannels) + words
        // Encoders keep what they gave; a cache's samples are read whole, pictures as bytes.
        let ahead = max(data.prefetch, training.batchSize)
        let readAhead =
            encoders == nil ? ahead * sample : ahead * 6 * geometry.panelWidth * geometry.panelHeight
        let kept = encoders == nil ? 0 : keptPairs * pictures + keptPrompts * words
        let parameters = 4 * adapters.parameterCount
        let moments = configuration.optimizer.name == .prodigy ? 4 : 2
        typealias Item = MemoryPlan.Item
        return MemoryPlan(
            always: [
                Item("program", MemoryEstimate.program), Item("converted weights", weights.ownedByteCount),
                Item("adapter", parameters), Item("optimizer", moments * parameters),
                Item("average", training.emaDecay == nil ? 0 : parameters), Item("kept samples", kept),
                Item("read ahead", readAhead),
            ],
            phases: [
                MemoryPlan.Phase(
                    "encoding a sample",
                    [
                        Item(MemoryPlan.weightsName, weights.encodingPages(isStreamed: isStreamed)),
                        Item("activations", max(text ?? 0, image ?? 0)),
                    ]),
                MemoryPlan.Phase(
                    "a step",
                    [
                        // Only blocks that run again say when they are needed on the way back.
                        Item(
                            MemoryPlan.weightsName,
                            weights.transformerPages(isStreamed: isStreamed && training.gradientCheckpointing)),
                        Item("gradients", parameters), Item("batch", (training.batchSize + 1) * told),
                        Item(
                            "activations",
                            MemoryEstimate.training(
                                model, tokens: geometry.pairTokenCount + data.maxSequenceLength,
                                batch: training.batchSize, configuration.dtype,
                                checkpointing: training.gradientCheckpointing)),
                    ]),
            ])
    }

    /// Puts a choice of how to spend memory into force for all models, before the first step.
    public func adopt(_ choice: MemoryChoice) {
        transformer.memory = choice.policy
        encoders?.adopt(choice)
    }

    /// The most samples that the run can see.
    private var seenSamples: Int {
        let training = configuration.training
        let seen = training.steps.multipliedReportingOverflow(by: training.batchSize * training.accumulate)
        return seen.overflow ? .max : seen.partialValue
    }

    /// How many pairs' latents stay in memory.
    private var keptPairs: Int { configuration.data.cacheLatents ? min(dataset.records.count, seenSamples) : 0 }

    /// How many prompts' vectors stay in memory, the empty one among them.
    private var keptPrompts: Int {
        guard configuration.data.cacheLatents else { return 1 }
        return seenSamples == .max ? promptCount : min(promptCount, seenSamples + 1)
    }
}
