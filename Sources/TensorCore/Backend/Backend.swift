/// The one seam for devices: all arithmetic on tensors goes through it.
///
/// The primitive requirements of ``PrimitiveBackend`` are what a device must write; there stand the contract of all
/// requirements and the memory model. The fused requirements below have default implementations that compose the
/// primitive ones (folder `Composed/`): right for every type and strided view, with sums in `float32` and one rounding at
/// the end, but with a tensor after each step. A backend writes its own of those that it does faster, as ``CPUBackend``
/// does of all.
public protocol Backend: PrimitiveBackend {
    // MARK: Copies

    /// Tensors of equal type joined along `axis`.
    func concatenate(_ parts: [Tensor], axis: Int) -> Tensor
    /// `x` with `value` around it: `low[i]` before and `high[i]` after axis `i`.
    func pad(_ x: Tensor, low: [Int], high: [Int], value: Float) -> Tensor

    // MARK: Elementwise

    /// `f'(x) * gradient`.
    func unaryGradient(_ operation: UnaryOperation, _ x: Tensor, gradient: Tensor) -> Tensor
    /// `x * scale + shift`.
    func affine(_ x: Tensor, scale: Float, shift: Float) -> Tensor
    /// `target = target * targetScale + source * sourceScale`, in place, both of one shape.
    func accumulate(_ source: Tensor, scale sourceScale: Float, into target: Tensor, targetScale: Float)

    // MARK: Sums of products

    /// `a1 b1 + a2 b2 + ... (+ addend) (+ bias)`, rounded once: products `[m, k_i] x [k_i, n]` with any `k_i`, an addend
    /// `[m, n]` of any floating-point type and a bias `[n]`. Quantised factors are dequantised as ``ProductFactor`` says.
    func sumOfProducts(_ terms: [ProductTerm], addend: Tensor?, bias: Tensor?, dtype: DType) -> Tensor

    /// ``sumOfProducts(_:addend:bias:dtype:)`` of several sums that do not depend on each other, with the same bits, their
    /// work shared as if it were one product's.
    func sumsOfProducts(_ sums: [ProductSum]) -> [Tensor]

    /// `f(a1 b1 + a2 b2 + ... (+ bias))`, rounded once, and the sums before `f` when `keepsSums`, which its gradient needs.
    func activatedProducts(
        _ terms: [ProductTerm], bias: Tensor?, activation: UnaryOperation, keepsSums: Bool, dtype: DType
    ) -> (activated: Tensor, sums: Tensor?)

    // MARK: Normalisation over the last axis, and over groups of channels

    /// Softmax over the last axis; a row of minus infinities gives zeros.
    func softmax(_ x: Tensor) -> Tensor
    /// The gradient of softmax's input from its output.
    func softmaxGradient(output: Tensor, gradient: Tensor) -> Tensor
    /// `(x - mean) / sqrt(var + eps) * weight + bias` over the last axis.
    func layerNorm(_ x: Tensor, weight: Tensor?, bias: Tensor?, epsilon: Float) -> Tensor
    /// Gradients of ``layerNorm(_:weight:bias:epsilon:)``; those of weight and bias are `float32`, and only computed
    /// when asked for.
    func layerNormGradient(
        _ x: Tensor, weight: Tensor?, epsilon: Float, gradient: Tensor, needsInput: Bool, needsParameters: Bool
    ) -> NormGradients
    /// `x / sqrt(mean(x^2) + eps) * weight` over the last axis.
    func rmsNorm(_ x: Tensor, weight: Tensor?, epsilon: Float) -> Tensor
    /// Gradients of ``rmsNorm(_:weight:epsilon:)``.
    func rmsNormGradient(
        _ x: Tensor, weight: Tensor?, epsilon: Float, gradient: Tensor, needsInput: Bool, needsParameters: Bool
    ) -> NormGradients
    /// Mean and sum of squared differences from it of each row of `[N, C, H, W]`: `[N, C, H, 2]`, `float32`.
    func rowMoments(_ x: Tensor) -> Tensor
    /// Mean and `1 / sqrt(variance + epsilon)` of each group of channels, `[N, groups, 2]`, `float32`, from the
    /// moments of all its rows, which are `width` long. Rows of parts of an image may be joined.
    func groupMoments(_ rows: Tensor, groups: Int, width: Int, epsilon: Float) -> Tensor
    /// Normalises each of `groups` groups of channels of an image batch `[N, C, H, W]`, then scales and shifts by
    /// channel.
    func groupNorm(_ x: Tensor, groups: Int, weight: Tensor, bias: Tensor, epsilon: Float) -> Tensor
    /// Gradients of ``groupNorm(_:groups:weight:bias:epsilon:)``.
    func groupNormGradient(
        _ x: Tensor, groups: Int, weight: Tensor, epsilon: Float, gradient: Tensor, needsInput: Bool,
        needsParameters: Bool
    ) -> NormGradients

    // MARK: Modulation of all tokens of a sample by one vector

    /// `layerNorm(x) (1 + scale) + shift` for `x` `[B, S, D]` and vectors `[B, 1, D]` of its type.
    func modulatedNorm(_ x: Tensor, scale: Tensor, shift: Tensor, epsilon: Float) -> Tensor
    /// The gradients of ``modulatedNorm(_:scale:shift:epsilon:)`` that are asked for.
    func modulatedNormGradient(
        _ x: Tensor, scale: Tensor, epsilon: Float, gradient: Tensor, needsInput: Bool, needsModulation: Bool
    ) -> (input: Tensor?, scale: Tensor?, shift: Tensor?)
    /// `x + gate y` for `x` and `y` `[B, S, D]` and a gate `[B, 1, D]`, all of one type.
    func gatedSum(_ x: Tensor, _ y: Tensor, gate: Tensor) -> Tensor
    /// The gradient of a gate, of shape `shape`: the sum over the tokens of `gradient y`.
    func gateGradient(_ y: Tensor, gradient: Tensor, shape: Shape) -> Tensor

    // MARK: Attention

    /// Rotates interleaved pairs of the last axis of `x` `[B, S, H, D]` by angles given as `cosine` and `sine`
    /// `[S, D/2]`; `inverse` rotates back.
    func rotary(_ x: Tensor, cosine: Tensor, sine: Tensor, inverse: Bool) -> Tensor
    /// `softmax(scale q k^T + bias) v` per head over the joint sequence of all streams, with the norms and rotation of
    /// queries and keys that streams and options name: one output for each stream.
    func attention(_ streams: [AttentionStream<Tensor>], options: AttentionOptions) -> AttentionResult
    /// The gradients of each stream that `needs` asks for, from those of its outputs; nil for an output without one.
    func attentionGradient(
        _ streams: [AttentionStream<Tensor>], options: AttentionOptions, result: AttentionResult, gradients: [Tensor?],
        needs: AttentionNeeds
    ) -> [AttentionGradients]

    // MARK: Images

    /// Cross-correlation of `[N, C, H, W]` with `[O, C, kh, kw]`, plus bias `[O]`, with what `stages` adds before and
    /// after.
    func convolution(
        _ x: Tensor, weight: Tensor, bias: Tensor?, options: ConvolutionOptions, stages: ConvolutionStages
    ) -> Tensor
    /// The gradient of a convolution's input.
    func convolutionInputGradient(
        _ gradient: Tensor, weight: Tensor, inputShape: Shape, options: ConvolutionOptions
    ) -> Tensor
    /// The gradient of a convolution's weight, `float32`.
    func convolutionWeightGradient(
        _ x: Tensor, gradient: Tensor, weightShape: Shape, options: ConvolutionOptions
    ) -> Tensor
    /// Each pixel of `[N, C, H, W]` repeated `factor` times along both image axes.
    func upsampleNearest(_ x: Tensor, factor: Int) -> Tensor
    /// Sums each `factor` x `factor` square: the adjoint of ``upsampleNearest(_:factor:)``.
    func upsampleNearestGradient(_ gradient: Tensor, factor: Int) -> Tensor

    // MARK: Optimizers

    /// One AdamW step in place over `float32` tensors of one shape.
    func adamWStep(_ parameter: Tensor, gradient: Tensor, first: Tensor, second: Tensor, options: AdamWStepOptions)
    /// Takes a gradient into Prodigy's moments, in place and in one pass over `float32` tensors of one shape; gives the
    /// two sums that the estimate of the distance comes from. No `start` is a start of zeros.
    func prodigyMoments(
        _ moments: ProdigyMoments, gradient: Tensor, parameter: Tensor, start: Tensor?, options: ProdigyMomentOptions
    ) -> (correlation: Double, magnitude: Double)
    /// `parameter = decay parameter - step first / (sqrt(second) + epsilon)`, in place over `float32` tensors of one shape.
    func prodigyStep(_ parameter: Tensor, moments: ProdigyMoments, decay: Float, step: Float, epsilon: Float)
    /// The sum of all squares, in double precision whatever the type; the composed one adds `float32` sums of short
    /// stretches in double precision.
    func sumOfSquares(_ x: Tensor) -> Double
}

extension Backend {
    /// ``convolution(_:weight:bias:options:stages:)`` without stages.
    public func convolution(_ x: Tensor, weight: Tensor, bias: Tensor?, options: ConvolutionOptions) -> Tensor {
        convolution(x, weight: weight, bias: bias, options: options, stages: ConvolutionStages())
    }
}
