/// The gradients of a normalisation; nil where not asked for.
public struct NormGradients: Sendable {
    /// With respect to the input.
    public var input: Tensor?
    /// With respect to the scale, `float32`.
    public var weight: Tensor?
    /// With respect to the shift, `float32`.
    public var bias: Tensor?

    /// Collects the gradients.
    public init(input: Tensor? = nil, weight: Tensor? = nil, bias: Tensor? = nil) {
        (self.input, self.weight, self.bias) = (input, weight, bias)
    }
}
