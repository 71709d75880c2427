/// The element type of a ``Tensor``, known at run time.
public enum DType: String, Sendable, CaseIterable, Codable, CustomStringConvertible {
    case float32, bfloat16, float16, int32, int64, uint8, bool

    /// The size of one element in bytes.
    public var byteCount: Int {
        switch self {
        case .int64: 8
        case .float32, .int32: 4
        case .bfloat16, .float16: 2
        case .uint8, .bool: 1
        }
    }

    /// Whether the type is one of the floating-point types, the only ones that take part in arithmetic with gradients.
    public var isFloatingPoint: Bool {
        switch self {
        case .float32, .bfloat16, .float16: true
        case .int32, .int64, .uint8, .bool: false
        }
    }

    /// The type's name as configurations spell it.
    public var description: String { rawValue }
}

/// A Swift type that a ``Tensor`` can hold.
public protocol TensorElement: BitwiseCopyable, Sendable {
    /// The run-time name of this type.
    static var dtype: DType { get }
}

extension Float: TensorElement {
    /// `float32`.
    public static var dtype: DType { .float32 }
}

extension Float16: TensorElement {
    /// `float16`.
    public static var dtype: DType { .float16 }
}

extension Int32: TensorElement {
    /// `int32`.
    public static var dtype: DType { .int32 }
}

extension Int64: TensorElement {
    /// `int64`.
    public static var dtype: DType { .int64 }
}

extension UInt8: TensorElement {
    /// `uint8`.
    public static var dtype: DType { .uint8 }
}

extension Bool: TensorElement {
    /// `bool`.
    public static var dtype: DType { .bool }
}
