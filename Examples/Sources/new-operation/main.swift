// A new operation with its adjoint, checked against finite differences and used in a small fit.
//
//     swift run new-operation
import Autograd
import Optimizers
import TensorCore

extension Variable {
    /// `log(1 + exp(x))`; its derivative is the logistic function.
    func softplus() -> Variable {
        let x = value
        let result = (x.applying(.exponential) + 1).applying(.logarithm)
        return .operation(result, of: [self]) { gradient in [gradient * x.applying(.sigmoid)] }
    }
}

// The adjoint beside finite differences: a wrong sign or factor shows at once.
var random = Random(seed: 1)
let check = GradientCheck([random.rand([4, 8])]) { [$0[0].softplus()] }
print("the adjoint is right: \(check.largestError < 1e-3)")

// Weights w with softplus(w) near a target, by AdamW.
let target = random.rand([16]) + 0.5
let weights = Parameter(Tensor(zeros: [16]), isTrained: true)
let optimizer = AdamW(AdamW.Options(weightDecay: 0))
var losses: [Float] = []
for _ in 0..<200 {
    weights.variable.clearGradient()
    let loss = weights.variable.softplus().meanSquaredError(target)
    loss.backward()
    optimizer.update([("weights", weights)], learningRate: 0.05)
    losses.append(loss.value.scalar)
}
print("the loss fell a hundredfold: \(losses[199] < losses[0] / 100)")
