public import TensorCore

extension Variable {
    /// Records an operation of one's own: a result that was computed from the values of `inputs`, and how gradients flow back.
    ///
    /// ```swift
    /// /// `log(1 + exp(x))`, whose derivative is the logistic function.
    /// func softplus(_ x: Variable) -> Variable {
    ///     let value = x.value
    ///     let result = (value.applying(.exponential) + 1).applying(.logarithm)
    ///     return .operation(result, of: [x]) { gradient in [gradient * value.applying(.sigmoid)] }
    /// }
    /// ```
    ///
    /// `adjoint` gets the gradient of the result, in its shape and type, and gives one for each input in that input's shape;
    /// nil where none flows. It runs once, after which what it captured is let go. It is not kept when no input wants a
    /// gradient. ``GradientCheck`` compares it with finite differences.
    public static func operation(
        _ value: Tensor, of inputs: [Variable], adjoint: @escaping (_ gradient: Tensor) -> [Tensor?]
    ) -> Variable {
        recording(value, inputs) { gradient in
            let gradients = adjoint(gradient)
            precondition(
                gradients.count == inputs.count, "\(gradients.count) gradients for \(inputs.count) inputs")
            return gradients
        }
    }
}
