public import TensorCore

/// A group norm with SiLU behind it, as part of a convolution.
public struct ConvolutionNorm {
    /// Groups of channels.
    public var groups: Int
    /// Scale and shift of each channel.
    public var weight: Variable, bias: Variable
    /// Added to the variance.
    public var epsilon: Float

    /// Collects the parameters.
    public init(groups: Int, weight: Variable, bias: Variable, epsilon: Float) {
        (self.groups, self.weight, self.bias, self.epsilon) = (groups, weight, bias, epsilon)
    }

    fileprivate var stage: ConvolutionStages.Norm {
        ConvolutionStages.Norm(groups: groups, weight: weight.value, bias: bias.value, epsilon: epsilon)
    }
}

/// Image operations on `[N, C, H, W]`.
extension Variable {
    /// Cross-correlation with `weight` `[O, C, kh, kw]` plus `bias` `[O]`.
    ///
    /// This image is normalised and followed by SiLU first if there is a `norm`, then each pixel is repeated `upsampling`
    /// times along both axes; `residual` is added last; `weightCache` is for a frozen weight alone. None of the tensors in
    /// between is made, and none is kept: the adjoint computes them again.
    public func convolution(
        weight: Variable, bias: Variable? = nil, options: ConvolutionOptions = .init(), norm: ConvolutionNorm? = nil,
        upsampling: Int = 1, residual: Variable? = nil, weightCache: WeightCache? = nil
    ) -> Variable {
        let (x, w, stage) = (value, weight.value, norm?.stage)
        let stages = ConvolutionStages(
            norm: stage, upsampling: upsampling, residual: residual?.value, weightCache: weightCache)
        let y = x.convolution(weight: w, bias: bias?.value, options: options, stages: stages)
        let needsInput = requiresGradient
        let needsNorm = norm.map { $0.weight.requiresGradient || $0.bias.requiresGradient } ?? false
        let needsWeight = weight.requiresGradient
        let needsBias = bias?.requiresGradient ?? false
        let savedX = needsWeight || (stage != nil && (needsInput || needsNorm)) ? x : nil
        let savedW = needsInput || needsNorm ? w : nil
        let (inputShape, weightShape) = (x.shape, w.shape)
        var inputs = [self, weight]
        let optional = [bias, norm?.weight, norm?.bias, residual]
        let isThere = optional.map { $0 != nil }
        inputs += optional.compactMap { $0 }
        return .recording(y, inputs) { dy in
            let backend = Device.backend
            let normed = savedX.flatMap { x in
                stage.map {
                    backend.groupNorm(x, groups: $0.groups, weight: $0.weight, bias: $0.bias, epsilon: $0.epsilon)
                }
            }
            let weightGradient =
                !needsWeight
                ? nil
                : backend.convolutionWeightGradient(
                    upsampled(normed.map { backend.unary(.silu, $0) } ?? savedX!, upsampling), gradient: dy,
                    weightShape: weightShape, options: options)
            var gradients = NormGradients()
            if let savedW {
                let (h, w) = (inputShape[2] * upsampling, inputShape[3] * upsampling)
                var dx = backend.convolutionInputGradient(
                    dy, weight: savedW, inputShape: [inputShape[0], inputShape[1], h, w], options: options)
                if upsampling > 1 { dx = backend.upsampleNearestGradient(dx, factor: upsampling) }
                if let stage, let normed, let savedX {
                    gradients = backend.groupNormGradient(
                        savedX, groups: stage.groups, weight: stage.weight, epsilon: stage.epsilon,
                        gradient: backend.unaryGradient(.silu, normed, gradient: dx), needsInput: needsInput,
                        needsParameters: needsNorm)
                } else {
                    gradients.input = dx
                }
            }
            let all = [
                needsBias ? dy.converted(to: .float32).sum(axes: [0, 2, 3]) : nil, gradients.weight, gradients.bias, dy,
            ]
            return [gradients.input, weightGradient] + zip(isThere, all).filter(\.0).map(\.1)
        }
    }

    /// Each pixel repeated `factor` times along both axes.
    public func upsampledNearest(_ factor: Int) -> Variable {
        .recording(value.upsampledNearest(factor), [self]) {
            [Device.backend.upsampleNearestGradient($0, factor: factor)]
        }
    }
}

private func upsampled(_ x: Tensor, _ factor: Int) -> Tensor { factor == 1 ? x : x.upsampledNearest(factor) }
