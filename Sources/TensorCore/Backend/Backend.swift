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

    // MARK: Indexing

    /// Row `indices[i]` of `table` `[rows, width]` for each `i`: `[indices…, width]`.
    func gatherRows(_ table: Tensor, indices: Tensor) -> Tensor
    /// A `float32` table `[rows, width]` into which `updates` `[indices…, width]` are added: the adjoint of a gather.
    func scatterAddRows(_ updates: Tensor, indices: Tensor, rows: Int) -> Tensor

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
    /// The sum of all squares, in double precision whatever the type.
    func sumOfSquares(_ x: Tensor) -> Double
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

    /// Collects the gradients.
    public init(input: Tensor? = nil, weight: Tensor? = nil, bias: Tensor? = nil) {
        (self.input, self.weight, self.bias) = (input, weight, bias)
    }
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

    /// The shape of the result for an image `[N, C, H, W]` and weights `[O, C, kh, kw]`.
    public func outputShape(input: Shape, weight: Shape, stages: ConvolutionStages = .init()) -> Shape {
        let height = outputExtent(input: input[2] * stages.upsampling, kernel: weight[2])
        let width = outputExtent(input: input[3] * stages.upsampling, kernel: weight[3])
        return [input[0], weight[0], stages.window?.rows.count ?? height, width]
    }

    /// The extent of the result along an axis of extent `input` for a window of `kernel`; 0 where the window is wider
    /// than the padded axis.
    public func outputExtent(input: Int, kernel: Int) -> Int {
        let room = input + paddingLow + paddingHigh - kernel
        return room < 0 ? 0 : room / stride + 1
    }
}

/// What a convolution does to its image first and to its result last, without a tensor in between.
public struct ConvolutionStages: Sendable {
    /// A group norm with SiLU behind it.
    public struct Norm: Sendable {
        /// Groups of channels.
        public var groups: Int
        /// Scale and shift of each channel.
        public var weight: Tensor, bias: Tensor
        /// Added to the variance.
        public var epsilon: Float
        /// ``Backend/groupMoments(_:groups:width:epsilon:)`` of the whole image, where the convolution sees a part of it.
        public var moments: Tensor?

        /// Collects the parameters.
        public init(groups: Int, weight: Tensor, bias: Tensor, epsilon: Float, moments: Tensor? = nil) {
            (self.groups, self.weight, self.bias, self.epsilon) = (groups, weight, bias, epsilon)
            self.moments = moments
        }
    }

    /// Some rows of the result, from some rows of the image.
    public struct Window: Sendable {
        /// Rows of the whole result.
        public var rows: Range<Int>
        /// The row of the whole image, before it is up-sampled, that the given part begins with. Rows that the part
        /// lacks count as zero: only those outside of the whole image may be missing.
        public var firstRow: Int

        /// Collects both.
        public init(rows: Range<Int>, firstRow: Int) {
            (self.rows, self.firstRow) = (rows, firstRow)
        }
    }

    /// Normalises the image; zeros around it stay zeros.
    public var norm: Norm?
    /// Then each pixel is repeated this often along both axes.
    public var upsampling: Int
    /// Added to the result, of its shape and of the image's type.
    public var residual: Tensor?
    /// Some rows instead of all.
    public var window: Window?
    /// Where a frozen weight is kept as a library reads it.
    public var packedWeight: PackedWeight?

    /// Collects the stages; none by default.
    public init(
        norm: Norm? = nil, upsampling: Int = 1, residual: Tensor? = nil, window: Window? = nil,
        packedWeight: PackedWeight? = nil
    ) {
        (self.norm, self.upsampling, self.residual, self.window) = (norm, upsampling, residual, window)
        self.packedWeight = packedWeight
    }
}

extension Backend {
    /// ``convolution(_:weight:bias:options:stages:)`` without stages.
    public func convolution(_ x: Tensor, weight: Tensor, bias: Tensor?, options: ConvolutionOptions) -> Tensor {
        convolution(x, weight: weight, bias: bias, options: options, stages: ConvolutionStages())
    }
}
