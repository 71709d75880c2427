public import Autograd
public import TensorCore

/// `(x - mean) / sqrt(var + eps) * weight + bias` over the last axis (Ba et al. 2016).
public final class LayerNorm: Module {
    private let weight: Parameter?
    private let bias: Parameter?
    /// Added to the variance.
    public let epsilon: Float

    /// Reads `weight` and `bias`, each `[dimensions]`.
    public init(_ loader: WeightLoader, _ dimensions: Int, epsilon: Float) {
        weight = loader.parameter("weight", [dimensions])
        bias = loader.parameter("bias", [dimensions])
        self.epsilon = epsilon
    }

    /// A norm without scale and shift.
    public init(epsilon: Float) {
        weight = nil
        bias = nil
        self.epsilon = epsilon
    }

    /// Scale and shift, if the norm has them.
    public var parameters: [(name: String, parameter: Parameter)] {
        (weight.map { [("weight", $0)] } ?? []) + (bias.map { [("bias", $0)] } ?? [])
    }

    /// Normalises the last axis.
    public func callAsFunction(_ x: Variable) -> Variable {
        x.layerNorm(weight: weight?.variable, bias: bias?.variable, epsilon: epsilon)
    }
}

/// `x / sqrt(mean(x^2) + eps) * weight` over the last axis (Zhang and Sennrich 2019).
public final class RMSNorm: Module {
    /// The scale, `[dimensions]`; attention takes it along where it normalises as it reads.
    public let weight: Parameter
    /// Added to the mean square.
    public let epsilon: Float

    /// Reads `weight` `[dimensions]`.
    public init(_ loader: WeightLoader, _ dimensions: Int, epsilon: Float) {
        weight = loader.parameter("weight", [dimensions])
        self.epsilon = epsilon
    }

    /// The scale.
    public var parameters: [(name: String, parameter: Parameter)] { [("weight", weight)] }

    /// Normalises the last axis.
    public func callAsFunction(_ x: Variable) -> Variable { x.rmsNorm(weight: weight.variable, epsilon: epsilon) }
}

/// Normalises groups of channels of `[N, C, H, W]`, then scales and shifts by channel (Wu and He 2018).
public final class GroupNorm: Module {
    private let weight: Parameter
    private let bias: Parameter
    /// The number of groups.
    public let groups: Int
    /// Added to the variance.
    public let epsilon: Float

    /// Reads `weight` and `bias`, each `[channels]`.
    public init(_ loader: WeightLoader, groups: Int, channels: Int, epsilon: Float) {
        weight = loader.parameter("weight", [channels])
        bias = loader.parameter("bias", [channels])
        self.groups = groups
        self.epsilon = epsilon
    }

    /// Scale and shift.
    public var parameters: [(name: String, parameter: Parameter)] { [("weight", weight), ("bias", bias)] }

    /// This norm with SiLU behind it, as part of a convolution.
    public var beforeConvolution: ConvolutionNorm {
        ConvolutionNorm(groups: groups, weight: weight.variable, bias: bias.variable, epsilon: epsilon)
    }

    /// This norm with SiLU behind it, as a stage of an unrecorded convolution of an image with these moments.
    public func stage(moments: Tensor) -> ConvolutionStages.Norm {
        ConvolutionStages.Norm(
            groups: groups, weight: weight.value, bias: bias.value, epsilon: epsilon, moments: moments)
    }

    /// Normalises.
    public func callAsFunction(_ x: Variable) -> Variable {
        x.groupNorm(groups: groups, weight: weight.variable, bias: bias.variable, epsilon: epsilon)
    }
}
