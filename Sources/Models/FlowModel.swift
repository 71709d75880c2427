public import Autograd
public import NeuralNet
public import TensorCore

/// What a flow model is given besides the noisy latents and their time: `B` samples of `S` latent tokens.
///
/// FLUX.1 [Fill] sees its source in channels behind the latents, FLUX.1 Kontext in tokens behind them; a model of another kind
/// needs no more than another way to fill this value.
public struct Conditioning: Sendable {
    /// Channels behind those of the noisy latents, `[B, S, C]`.
    public var channels: Tensor?
    /// Tokens behind the noisy latents, `[B, R, in]`: the model reads them, and predicts nothing for them.
    public var tokens: Tensor?
    /// The coordinates (image, row, column) of ``tokens``, `[R, 3]`.
    public var tokenIDs: Tensor?
    /// The coordinates of the noisy latents, `[S, 3]`.
    public var imageIDs: Tensor
    /// The hidden states of the long text encoder, `[B, T, d]`.
    public var text: Tensor
    /// The pooled text, `[B, P]`.
    public var pooled: Tensor
    /// The guidance scale, fed to the guidance embedding of models that have one.
    public var guidance: Float

    /// Collects the conditioning.
    public init(
        channels: Tensor? = nil, tokens: Tensor? = nil, tokenIDs: Tensor? = nil, imageIDs: Tensor, text: Tensor,
        pooled: Tensor, guidance: Float
    ) {
        precondition((tokens == nil) == (tokenIDs == nil), "tokens without coordinates, or coordinates without tokens")
        self.channels = channels
        self.tokens = tokens
        self.tokenIDs = tokenIDs
        self.imageIDs = imageIDs
        self.text = text
        self.pooled = pooled
        self.guidance = guidance
    }
}

/// A model that predicts the velocity of a flow between data and noise: what is trained beside, and sampled from.
public protocol FlowModel: Module {
    /// The velocity `[B, S, C]` at noisy packed latents `[B, S, C]` and times `[B]` in 0…1, where 1 is pure noise; computed in
    /// `precision`, given in `float32`.
    func velocity(_ noisy: Tensor, time: Tensor, _ conditioning: Conditioning, precision: DType) -> Variable
}

extension FluxTransformer: FlowModel {
    /// The velocity that the transformer predicts: channels are joined to the latents, tokens put behind them, and the results of those
    /// tokens left out.
    public func velocity(
        _ noisy: Tensor, time: Tensor, _ conditioning: Conditioning, precision: DType
    ) -> Variable {
        var (latents, ids) = (noisy, conditioning.imageIDs)
        if let channels = conditioning.channels { latents = Tensor.concatenated([latents, channels], axis: 2) }
        if let tokens = conditioning.tokens, let tokenIDs = conditioning.tokenIDs {
            latents = Tensor.concatenated([latents, tokens], axis: 1)
            ids = Tensor.concatenated([ids, tokenIDs], axis: 0)
        }
        let text = conditioning.text
        let input = FluxInput(
            latents: Variable(latents.converted(to: precision)), text: Variable(text.converted(to: precision)),
            pooled: Variable(conditioning.pooled), timestep: time,
            guidance: configuration.guidanceEmbeds ? Tensor(full: time.shape, conditioning.guidance) : nil,
            imageIDs: ids, textIDs: Tensor(zeros: [text.shape[1], 3]), resultCount: noisy.shape[1])
        return self(input).converted(to: .float32)
    }
}
