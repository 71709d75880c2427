public import Models
import NeuralNet
public import TensorCore

/// Where the weights of a frozen pipeline lie, as a memory plan counts them.
public struct FrozenWeights: Sendable {
    /// The pages of a model in its file, and its copies in memory.
    private struct Part: Sendable {
        var mapped: Int
        var owned: Int
        /// What is in memory of the pages where they are streamed.
        var window: Int

        init(_ module: any Module, _ stream: WeightStream? = nil) {
            let (mapped, owned) = module.weightByteCounts
            (self.mapped, self.owned) = (mapped, owned)
            // Weights outside of the blocks are touched once a pass.
            window = stream.map { mapped - $0.byteCount + $0.windowByteCount } ?? mapped
        }
    }

    private let transformer: Part
    /// What stays of the transformer when its blocks have left.
    private let outsideBlocks: Int
    private let vae: Part?
    private let clip: Part?
    private let t5: Part?

    /// Of a transformer and, unless their results are known, of the encoders. T5's table of tokens is counted whole.
    public init(_ transformer: FluxTransformer, vae: AutoencoderKL?, textEncoders: TextEncoders?) {
        self.transformer = Part(transformer, transformer.weightStream)
        outsideBlocks = self.transformer.mapped - transformer.weightStream.byteCount
        self.vae = vae.map { Part($0) }
        clip = textEncoders.map { Part($0.clip) }
        t5 = textEncoders.map { Part($0.t5, $0.t5.weightStream) }
    }

    /// All pages together.
    public var mappedByteCount: Int { [transformer, vae, clip, t5].reduce(0) { $0 + ($1?.mapped ?? 0) } }

    /// The copies that are there all the time.
    public var ownedByteCount: Int { [transformer, vae, clip, t5].reduce(0) { $0 + ($1?.owned ?? 0) } }

    /// The pages of the phase in which a model is used: where all stay, all that were used until then.
    public func transformerPages(isStreamed: Bool) -> Int { isStreamed ? transformer.window : mappedByteCount }

    /// See ``transformerPages(isStreamed:)``.
    public func vaePages(isStreamed: Bool) -> Int { isStreamed ? vae?.mapped ?? 0 : mappedByteCount }

    /// The pages of the phase in which samples are encoded between the steps of a training.
    public func encodingPages(isStreamed: Bool) -> Int {
        let encoders = max(textPages(isStreamed: isStreamed), vaePages(isStreamed: isStreamed))
        return isStreamed ? encoders + outsideBlocks : encoders
    }

    /// See ``transformerPages(isStreamed:)``; CLIP has left when T5 comes.
    public func textPages(isStreamed: Bool) -> Int {
        isStreamed ? max(t5?.window ?? 0, clip?.mapped ?? 0) : mappedByteCount
    }
}
