/// The elementwise functions of one argument.
public enum UnaryOperation: String, Sendable, CaseIterable {
    case negate, exponential, logarithm, squareRoot, reciprocal, sine, cosine, sigmoid, tanh, square, absolute
    case relu, silu
    /// GELU, `x` times the normal distribution's cumulative function (Hendrycks and Gimpel 2016).
    case gelu
    /// GELU in its tanh approximation.
    case geluTanh
    /// `x * sigmoid(1.702 x)`, as CLIP uses it.
    case quickGelu
}

/// The elementwise functions of two arguments.
public enum BinaryOperation: String, Sendable, CaseIterable {
    case add, subtract, multiply, divide, maximum, minimum
}

/// The relations between two elements.
public enum Relation: String, Sendable, CaseIterable {
    case equal, less, lessOrEqual
}

/// The ways to reduce an axis.
public enum Reduction: String, Sendable, CaseIterable {
    case sum, mean, maximum
}
