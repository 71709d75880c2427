public import Autograd
import TensorCore

/// The Euclidean norm of all gradients together, summed in double precision; parameters without a gradient count 0.
public func gradientNorm(_ parameters: [(name: String, parameter: Parameter)]) -> Double {
    let squares = parameters.reduce(0.0) { total, entry in
        guard let gradient = entry.parameter.variable.gradient else { return total }
        return total + Device.backend.sumOfSquares(gradient)
    }
    return squares.squareRoot()
}

/// Scales all gradients down together so that their norm is at most `maximum`, as `torch.nn.utils.clip_grad_norm_` does:
/// by `maximum / (norm + 1e-6)` where that is below 1.
///
/// Gives the norm before. A norm that is not finite changes nothing; the caller decides what to do about it.
@discardableResult
public func clipGradientNorm(_ parameters: [(name: String, parameter: Parameter)], maximum: Double) -> Double {
    precondition(maximum > 0, "clipping to a norm of \(maximum)")
    let norm = gradientNorm(parameters)
    let scale = maximum / (norm + 1e-6)
    guard norm.isFinite, scale < 1 else { return norm }
    for (_, parameter) in parameters {
        guard let gradient = parameter.variable.gradient else { continue }
        parameter.variable.setGradient(gradient * Float(scale))
    }
    return norm
}
