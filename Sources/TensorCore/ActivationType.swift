/// A floating-point type that activations may have.
public enum ActivationType: String, CaseIterable, Codable, Sendable {
    /// IEEE single precision.
    case float32
    /// The upper half of a `float32`.
    case bfloat16

    /// The type of the tensors.
    public var dtype: DType { self == .float32 ? .float32 : .bfloat16 }
}
