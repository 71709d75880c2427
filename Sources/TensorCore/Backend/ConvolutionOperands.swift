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
    /// Where the backend may keep what it makes of a frozen weight; nil for a weight that may change.
    public var weightCache: WeightCache?

    /// Collects the stages; none by default.
    public init(
        norm: Norm? = nil, upsampling: Int = 1, residual: Tensor? = nil, window: Window? = nil,
        weightCache: WeightCache? = nil
    ) {
        (self.norm, self.upsampling, self.residual, self.window) = (norm, upsampling, residual, window)
        self.weightCache = weightCache
    }
}
