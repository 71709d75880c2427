public import Autograd
public import TensorCore

/// A convolution over `[N, C, H, W]` with bias.
public final class Conv2D: Module {
    private let weight: Parameter
    private let bias: Parameter
    private let weightCache = WeightCache()
    /// Whether a frozen weight is also kept in the layout that the backend reads fastest.
    public var memory = MemoryPolicy()
    /// Stride and padding.
    public let options: ConvolutionOptions

    /// Reads `weight` `[out, in, kernel, kernel]` and `bias` `[out]`.
    public init(
        _ loader: WeightLoader, _ inputChannels: Int, _ outputChannels: Int, kernel: Int,
        options: ConvolutionOptions = .init()
    ) {
        weight = loader.parameter("weight", [outputChannels, inputChannels, kernel, kernel])
        bias = loader.parameter("bias", [outputChannels])
        self.options = options
    }

    /// Weight and bias.
    public var parameters: [(name: String, parameter: Parameter)] { [("weight", weight), ("bias", bias)] }

    /// Applies the convolution: to `x` normalised by `norm` and followed by SiLU, up-sampled `upsampling` times, and adds
    /// `residual`.
    public func callAsFunction(
        _ x: Variable, norm: GroupNorm? = nil, upsampling: Int = 1, residual: Variable? = nil
    ) -> Variable {
        x.convolution(
            weight: weight.variable, bias: bias.variable, options: options, norm: norm?.beforeConvolution,
            upsampling: upsampling, residual: residual, weightCache: cache)
    }

    /// None for a trained weight, which changes under what was kept of it, and where memory is short.
    private var cache: WeightCache? {
        if !weight.isTrained, memory.keepsPackedWeights { return weightCache }
        weightCache.clear()
        return nil
    }

    /// `[out, in, kernel, kernel]`.
    public var weightShape: Shape { weight.value.shape }

    /// Applies the convolution to a tensor, unrecorded, with what `stages` adds; of an image or of some of its rows.
    public func callAsFunction(_ x: Tensor, stages: ConvolutionStages) -> Tensor {
        var stages = stages
        stages.weightCache = cache
        return x.convolution(weight: weight.value, bias: bias.value, options: options, stages: stages)
    }
}
