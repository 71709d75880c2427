/// Softmax and the norms; statistics are always `float32`.
extension Tensor {
    /// Softmax over the last axis.
    public func softmax() -> Tensor { Device.backend.softmax(self) }

    /// The gradient of softmax's input, this tensor being its output.
    public func softmaxGradient(_ gradient: Tensor) -> Tensor {
        Device.backend.softmaxGradient(output: self, gradient: gradient)
    }

    /// Layer norm over the last axis, with optional scale and shift of that extent.
    public func layerNorm(weight: Tensor? = nil, bias: Tensor? = nil, epsilon: Float) -> Tensor {
        checkChannels(weight, bias, count: shape[-1])
        return Device.backend.layerNorm(self, weight: weight, bias: bias, epsilon: epsilon)
    }

    /// RMS norm over the last axis, with optional scale.
    public func rmsNorm(weight: Tensor? = nil, epsilon: Float) -> Tensor {
        checkChannels(weight, nil, count: shape[-1])
        return Device.backend.rmsNorm(self, weight: weight, epsilon: epsilon)
    }

    /// Group norm of `[N, C, H, W]` with scale and shift `[C]`.
    public func groupNorm(groups: Int, weight: Tensor, bias: Tensor, epsilon: Float) -> Tensor {
        precondition(rank == 4 && shape[1] % groups == 0, "group norm of \(shape) in \(groups) groups")
        checkChannels(weight, bias, count: shape[1])
        return Device.backend.groupNorm(self, groups: groups, weight: weight, bias: bias, epsilon: epsilon)
    }

    private func checkChannels(_ weight: Tensor?, _ bias: Tensor?, count: Int) {
        for parameter in [weight, bias] {
            guard let parameter else { continue }
            precondition(parameter.shape == [count], "norm parameter \(parameter.shape) for \(count) channels")
        }
    }
}
