public import TensorCore

/// Image operations on `[N, C, H, W]`.
extension Variable {
    /// Cross-correlation with `weight` `[O, C, kh, kw]` plus `bias` `[O]`.
    public func convolution(weight: Variable, bias: Variable? = nil, options: ConvolutionOptions = .init()) -> Variable
    {
        let (x, w) = (value, weight.value)
        let y = x.convolution(weight: w, bias: bias?.value, options: options)
        let (savedX, savedW) = (weight.requiresGradient ? x : nil, requiresGradient ? w : nil)
        let needsBias = bias?.requiresGradient ?? false
        let (inputShape, weightShape) = (x.shape, w.shape)
        return .recording(y, [self, weight] + (bias.map { [$0] } ?? [])) { dy in
            [
                savedW.map {
                    Device.backend.convolutionInputGradient(dy, weight: $0, inputShape: inputShape, options: options)
                },
                savedX.map {
                    Device.backend.convolutionWeightGradient(
                        $0, gradient: dy, weightShape: weightShape, options: options)
                },
                needsBias ? dy.converted(to: .float32).sum(axes: [0, 2, 3]) : nil,
            ]
        }
    }

    /// Each pixel repeated `factor` times along both axes.
    public func upsampledNearest(_ factor: Int) -> Variable {
        .recording(value.upsampledNearest(factor), [self]) {
            [Device.backend.upsampleNearestGradient($0, factor: factor)]
        }
    }
}
