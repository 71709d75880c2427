/// One stream of tokens of an attention: tensors, or variables.
///
/// An attention may join several streams, say of text and of image, each with projections of its own: their tokens
/// stand one behind the other in one sequence.
public struct AttentionStream<Value> {
    /// `[B, S, H, D]`.
    public var query: Value
    /// `[B, T, H, D]`; usually as many tokens as queries.
    public var key: Value
    /// `[B, T, H, D]`.
    public var value: Value
    /// The scale `[D]` of an RMS norm of each head's queries; nil for none.
    public var queryNorm: Value?
    /// The same of the keys.
    public var keyNorm: Value?

    /// Collects the operands.
    public init(query: Value, key: Value, value: Value, queryNorm: Value? = nil, keyNorm: Value? = nil) {
        self.query = query
        self.key = key
        self.value = value
        self.queryNorm = queryNorm
        self.keyNorm = keyNorm
    }

    /// The same stream of other values.
    public func map<Other>(_ transform: (Value) -> Other) -> AttentionStream<Other> {
        AttentionStream<Other>(
            query: transform(query), key: transform(key), value: transform(value), queryNorm: queryNorm.map(transform),
            keyNorm: keyNorm.map(transform))
    }
}

extension AttentionStream: Sendable where Value: Sendable {}

/// The angles by which queries and keys turn with their token's place (rotary position embedding, Su et al. 2021):
/// neighbouring channels 2i and 2i + 1 turn together.
public struct RotaryAngles: Sendable {
    /// `[S, D/2]`.
    public var cosine: Tensor
    /// `[S, D/2]`.
    public var sine: Tensor

    /// Takes the cosines and sines of the angles.
    public init(cosine: Tensor, sine: Tensor) {
        self.cosine = cosine
        self.sine = sine
    }
}

/// What an attention is computed with besides its streams.
public struct AttentionOptions: Sendable {
    /// The factor on the dot products; often `1 / sqrt(D)`.
    public var scale: Float
    /// Whether a query sees only keys up to its own place in the joint sequence.
    public var isCausal: Bool
    /// Added to the scaled products before softmax, broadcastable to `[B, H, S, T]` of the joint sequence; a constant,
    /// without gradient.
    public var bias: Tensor?
    /// The turn of queries and keys by their place in the joint sequence, after their norms: angles for each key. Where
    /// queries are fewer than keys, they are those of the last tokens.
    public var rotary: RotaryAngles?
    /// Added to the mean squares of the norms of queries and keys.
    public var normEpsilon: Float

    /// Collects the options.
    public init(
        scale: Float, isCausal: Bool = false, bias: Tensor? = nil, rotary: RotaryAngles? = nil,
        normEpsilon: Float = 1e-6
    ) {
        self.scale = scale
        self.isCausal = isCausal
        self.bias = bias
        self.rotary = rotary
        self.normEpsilon = normEpsilon
    }
}

/// What an attention gives, and what its gradient needs besides the inputs.
public struct AttentionResult: Sendable {
    /// For each stream `[B, S, H, D]`.
    public var outputs: [Tensor]
    /// The logarithm of each row's softmax denominator over the joint sequence, `[B, H, S]`, `float32`.
    public var logSumExp: Tensor

    /// The output of the only stream.
    public var output: Tensor {
        precondition(outputs.count == 1, "the output of an attention of \(outputs.count) streams")
        return outputs[0]
    }

    /// Collects the results.
    public init(outputs: [Tensor], logSumExp: Tensor) {
        self.outputs = outputs
        self.logSumExp = logSumExp
    }
}

/// Which gradients of an attention are wanted, of all streams alike.
public struct AttentionNeeds: OptionSet, Sendable {
    /// The bits.
    public let rawValue: Int

    /// Takes the bits.
    public init(rawValue: Int) { self.rawValue = rawValue }

    /// Of the queries, and of their norms where there are any.
    public static let queries = AttentionNeeds(rawValue: 1)
    /// Of keys and values, and of the keys' norms where there are any.
    public static let keysAndValues = AttentionNeeds(rawValue: 2)
    /// Of the norms' scales, with those of their inputs.
    public static let norms = AttentionNeeds(rawValue: 4)
}

/// The gradients of one stream; nil where not asked for.
public struct AttentionGradients: Sendable {
    /// With respect to the queries, keys and values, in their type.
    public var query: Tensor?, key: Tensor?, value: Tensor?
    /// With respect to the scales of the norms, `float32`.
    public var queryNorm: Tensor?, keyNorm: Tensor?
}
