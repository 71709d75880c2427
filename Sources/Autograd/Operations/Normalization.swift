import TensorCore

/// Softmax and the norms.
extension Variable {
    /// Softmax over the last axis.
    public func softmax() -> Variable {
        let y = value.softmax()
        return .recording(y, [self]) { [y.softmaxGradient($0)] }
    }

    /// Layer norm over the last axis.
    public func layerNorm(weight: Variable? = nil, bias: Variable? = nil, epsilon: Float) -> Variable {
        let (x, w) = (value, weight?.value)
        let needsInput = requiresGradient
        let needsParameters = weight?.requiresGradient ?? false || bias?.requiresGradient ?? false
        let inputs = [self, weight, bias].compactMap { $0 }
        let has = (weight: weight != nil, bias: bias != nil)
        return .recording(x.layerNorm(weight: w, bias: bias?.value, epsilon: epsilon), inputs) { dy in
            let g = Device.backend.layerNormGradient(
                x, weight: w, epsilon: epsilon, gradient: dy, needsInput: needsInput, needsParameters: needsParameters)
            return [g.input] + (has.weight ? [g.weight] : []) + (has.bias ? [g.bias] : [])
        }
    }

    /// RMS norm over the last axis.
    public func rmsNorm(weight: Variable? = nil, epsilon: Float) -> Variable {
        let (x, w) = (value, weight?.value)
        let needsInput = requiresGradient
        let needsParameters = weight?.requiresGradient ?? false
        let inputs = [self, weight].compactMap { $0 }
        return .recording(x.rmsNorm(weight: w, epsilon: epsilon), inputs) { dy in
            let g = Device.backend.rmsNormGradient(
                x, weight: w, epsilon: epsilon, gradient: dy, needsInput: needsInput, needsParameters: needsParameters)
            return [g.input, g.weight]
        }
    }

    /// Group norm of `[N, C, H, W]`.
    public func groupNorm(groups: Int, weight: Variable, bias: Variable, epsilon: Float) -> Variable {
        let (x, w) = (value, weight.value)
        let needsInput = requiresGradient
        let needsParameters = weight.requiresGradient || bias.requiresGradient
        let y = x.groupNorm(groups: groups, weight: w, bias: bias.value, epsilon: epsilon)
        return .recording(y, [self, weight, bias]) { dy in
            let g = Device.backend.groupNormGradient(
                x, groups: groups, weight: w, epsilon: epsilon, gradient: dy, needsInput: needsInput,
                needsParameters: needsParameters)
            return [g.input, g.weight, g.bias]
        }
    }
}
