/// The one seam for devices: every piece of arithmetic on tensors goes through these coarse primitives.
///
/// Implementations must accept every strided view and every floating-point type unless a requirement says otherwise,
/// accumulate in `float32` or better, and give contiguous results. Shapes are checked by the callers, the operations
/// on ``Tensor`` in `Operations/`, so an implementation need not check them again. A device other than the CPU fits
/// behind this protocol without a change above it.
public protocol Backend: Sendable {
    /// A name for logs and benchmarks.
    var name: String { get }

    // MARK: Copies

    /// A contiguous copy of `x` converted to `dtype`: to nearest, ties to even, for floating-point targets; towards
    /// zero and saturating for integers (NaN gives 0); `x != 0` for `bool`. Integers become 16-bit floating-point numbers
    /// by way of `float32`.
    func copy(_ x: Tensor, as dtype: DType) -> Tensor
    /// Writes `source`, converted, into the elements of `target`, both of one shape and any strides.
    func assign(_ source: Tensor, to target: Tensor)
    /// Tensors of equal type joined along `axis`.
    func concatenate(_ parts: [Tensor], axis: Int) -> Tensor
    /// `x` with `value` around it: `low[i]` before and `high[i]` after axis `i`.
    func pad(_ x: Tensor, low: [Int], high: [Int], value: Float) -> Tensor

    // MARK: Elementwise

    /// `f(x)`.
    func unary(_ operation: UnaryOperation, _ x: Tensor) -> Tensor
    /// `f'(x) * gradient`.
    func unaryGradient(_ operation: UnaryOperation, _ x: Tensor, gradient: Tensor) -> Tensor
    /// `f(a, b)` of two views of one shape (already broadcast) and one type.
    func binary(_ operation: BinaryOperation, _ a: Tensor, _ b: Tensor) -> Tensor
    /// `x * scale + shift`.
    func affine(_ x: Tensor, scale: Float, shift: Float) -> Tensor
    /// A `bool` tensor: the relation between two views of one shape and one type.
    func compare(_ relation: Relation, _ a: Tensor, _ b: Tensor) -> Tensor
    /// `mask ? a : b`, all of one shape.
    func select(_ mask: Tensor, _ a: Tensor, _ b: Tensor) -> Tensor
    /// `target = target * targetScale + source * sourceScale`, in place, both of one shape.
    func accumulate(_ source: Tensor, scale sourceScale: Float, into target: Tensor, targetScale: Float)

    // MARK: Reductions

    /// Reduces the given (positive, distinct) axes to extent 1. An empty sum is 0, an empty mean NaN, an empty maximum
    /// minus infinity.
    func reduce(_ reduction: Reduction, _ x: Tensor, axes: [Int]) -> Tensor
    /// A `bool` mask of the `k` largest elements of the last axis, the first of equals preferred.
    func topKMask(_ x: Tensor, k: Int) -> Tensor
    /// The place of the largest element of the last axis (the first of equals), `int32`.
    func argmax(_ x: Tensor) -> Tensor

    // MARK: Matrix products

    /// `a b (+ bias)` over the last two axes of two tensors of equal rank whose leading axes agree or are 1; a
    /// transposed operand is a strided view. The operands may be of different floating-point types; the result has
    /// type `dtype`. `bias` has the extent of the result's last axis.
    func matrixProduct(_ a: Tensor, _ b: Tensor, bias: Tensor?, dtype: DType) -> Tensor

    /// `a1 b1 + a2 b2 + ... (+ addend) (+ bias)`, rounded once: products `[m, k_i] x [k_i, n]` with any `k_i`, an addend
    /// `[m, n]` of any floating-point type and a bias `[n]`.
    func sumOfProducts(_ terms: [ProductTerm], addend: Tensor?, bias: Tensor?, dtype: DType) -> Tensor

    // MARK: Normalisation over the last axis, and over groups of channels

    /// Softmax over the last axis.
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

    /// Cross-correlation of `[N, C, H, W]` with `[O, C, kh, kw]`, plus bias `[O]`.
    func convolution(_ x: Tensor, weight: Tensor, bias: Tensor?, options: ConvolutionOptions) -> Tensor
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

    // MARK: Indexing

    /// Row `indices[i]` of `table` `[rows, width]` for each `i`: `[indices…, width]`.
    func gatherRows(_ table: Tensor, indices: Tensor) -> Tensor
    /// A `float32` table `[rows, width]` into which `updates` `[indices…, width]` are added: the adjoint of a gather.
    func scatterAddRows(_ updates: Tensor, indices: Tensor, rows: Int) -> Tensor

    // MARK: Optimizers

    /// One AdamW step in place over `float32` tensors of one shape.
    func adamWStep(_ parameter: Tensor, gradient: Tensor, first: Tensor, second: Tensor, options: AdamWStepOptions)
}

/// The device on which tensors compute.
public enum Device {
    /// The backend of the current task; the CPU unless ``withBackend(_:_:)`` says otherwise.
    @TaskLocal public static var backend: any Backend = CPUBackend()

    /// Runs `body` with another backend, in this task alone.
    public static func withBackend<Result>(_ backend: any Backend, _ body: () throws -> Result) rethrows -> Result {
        try $backend.withValue(backend, operation: body)
    }
}

/// The elementwise functions of one argument.
public enum UnaryOperation: String, Sendable, CaseIterable {
    case negate, exponential, logarithm, squareRoot, reciprocal, sine, cosine, sigmoid, tanh, square, absolute
    case relu, silu
    /// GELU, `x` times the normal distribution's cumulative function (Hendrycks and Gimpel 2016).
    case gelu
    /// GELU in its tanh approximation.
    case geluTanh
    /// `x * sigmoid(1.702 x)`, as CLIP uses it.
    case quickGelu
}

/// The elementwise functions of two arguments.
public enum BinaryOperation: String, Sendable, CaseIterable {
    case add, subtract, multiply, divide, maximum, minimum
}

/// One product of a sum of products.
public struct ProductTerm: Sendable {
    /// `[m, k]`, any strides.
    public var a: Tensor
    /// `[k, n]`, any strides.
    public var b: Tensor

    /// The product `a b`.
    public init(_ a: Tensor, _ b: Tensor) {
        precondition(
            a.rank == 2 && b.rank == 2 && a.shape[1] == b.shape[0], "matrix product of shapes \(a.shape) and \(b.shape)"
        )
        self.a = a
        self.b = b
    }
}

/// The relations between two elements.
public enum Relation: String, Sendable, CaseIterable {
    case equal, less, lessOrEqual
}

/// The ways to reduce an axis.
public enum Reduction: String, Sendable, CaseIterable {
    case sum, mean, maximum
}

/// The gradients of a normalisation; nil where not asked for.
public struct NormGradients: Sendable {
    /// With respect to the input.
    public var input: Tensor?
    /// With respect to the scale, `float32`.
    public var weight: Tensor?
    /// With respect to the shift, `float32`.
    public var bias: Tensor?
}

/// The geometry of a convolution, the same along both axes save for the padding's far side.
public struct ConvolutionOptions: Sendable, Hashable {
    /// The step of the window.
    public var stride: Int
    /// Zeros before each image axis.
    public var paddingLow: Int
    /// Zeros after each image axis.
    public var paddingHigh: Int

    /// Collects the options; `paddingHigh` is `padding` unless given.
    public init(stride: Int = 1, padding: Int = 0, paddingHigh: Int? = nil) {
        self.stride = stride
        paddingLow = padding
        self.paddingHigh = paddingHigh ?? padding
    }

    /// The extent of the result along an axis of extent `input` for a window of `kernel`; 0 where the window is wider
    /// than the padded axis.
    public func outputExtent(input: Int, kernel: Int) -> Int {
        let room = input + paddingLow + paddingHigh - kernel
        return room < 0 ? 0 : room / stride + 1
    }
}

/// The scalars of one AdamW step.
public struct AdamWStepOptions: Sendable {
    /// The learning rate of this step.
    public var learningRate: Float
    /// The decay rates of the two moments.
    public var beta1: Float, beta2: Float
    /// Added to the root of the second moment.
    public var epsilon: Float
    /// Decoupled weight decay.
    public var weightDecay: Float
    /// `1 - beta1^step` and `1 - beta2^step`.
    public var biasCorrection1: Float, biasCorrection2: Float

    /// Collects the scalars.
    public init(
        learningRate: Float, beta1: Float, beta2: Float, epsilon: Float, weightDecay: Float, biasCorrection1: Float,
        biasCorrection2: Float
    ) {
        self.learningRate = learningRate
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon = epsilon
        self.weightDecay = weightDecay
        self.biasCorrection1 = biasCorrection1
        self.biasCorrection2 = biasCorrection2
    }
}
