public import TensorCore

/// The gradients that an operation's adjoint gives, beside those of finite differences.
///
/// ```swift
/// let check = GradientCheck([x]) { [softplus($0[0])] }
/// precondition(check.largestError < 1e-3)
/// ```
///
/// The results are multiplied by fixed random weights and summed to one number `f`. Its derivative by an element comes from
/// four values, `(8 (f(x + h) - f(x - h)) - (f(x + 2h) - f(x - 2h))) / 12h`, whose error falls with `h^4`. Inputs that are
/// sums of a few powers of two are moved exactly, so that a smooth `float32` operation is right to about 1e-3. An operation
/// with a kink must not be asked for one within `2h`.
public struct GradientCheck {
    /// The gradient of each input by the adjoint; nil where none arrived.
    public let gradients: [Tensor?]
    /// For each input the largest difference of the two over `max(1, |finite difference|)`; infinite where a gradient is
    /// missing or not finite.
    public let errors: [Double]

    /// The largest of all errors.
    public var largestError: Double { errors.max() ?? 0 }

    /// Runs `operation` on `inputs` once for the adjoint and four times for each element, `step` apart.
    public init(_ inputs: [Tensor], step: Float = 0x1p-5, _ operation: ([Variable]) -> [Variable]) {
        let variables = inputs.map { Variable($0, requiresGradient: true) }
        let results = operation(variables)
        let weights = results.enumerated().map { Self.weights($0.element.shape, seed: UInt64(200 + $0.offset)) }
        let loss = zip(results, weights).map { result, weight in
            (result * Variable(weight.converted(to: result.dtype))).converted(to: .float32).sum()
        }.reduce(Variable(Tensor(0))) { $0 + $1 }
        if loss.requiresGradient { loss.backward() }

        func projection(_ place: (input: Int, element: Int), _ steps: Float) -> Double {
            var moved = inputs
            var values = inputs[place.input].floats
            values[place.element] += steps * step
            moved[place.input] = Tensor(values, inputs[place.input].shape)
            let results = withoutGradients { operation(moved.map { Variable($0) }).map(\.value) }
            return zip(results, weights).reduce(0) { sum, pair in
                zip(pair.0.floats, pair.1.floats).reduce(sum) { $0 + Double($1.0) * Double($1.1) }
            }
        }
        func difference(_ place: (input: Int, element: Int)) -> Double {
            let near = projection(place, 1) - projection(place, -1)
            let far = projection(place, 2) - projection(place, -2)
            return (8 * near - far) / (12 * Double(step))
        }
        gradients = variables.map(\.gradient)
        errors = zip(inputs, variables).enumerated().map { input, pair in
            guard let found = pair.1.gradient?.floats else { return .infinity }
            return found.enumerated().reduce(0) { worst, entry in
                let expected = difference((input, entry.offset))
                let error = abs(Double(entry.element) - expected) / max(1, abs(expected))
                return max(worst, error.isFinite ? error : .infinity)
            }
        }
    }

    /// Multiples of 1/1024 in [-1, 1].
    private static func weights(_ shape: Shape, seed: UInt64) -> Tensor {
        var random = Random(seed: seed)
        return Tensor((0..<shape.count).map { _ in ((2 * random.uniform() - 1) * 1024).rounded() / 1024 }, shape)
    }
}
