import TensorCore

/// The element types of the safetensors format, in upstream's order of alignment (`Dtype` of `safetensors/src/tensor.rs`).
enum SafetensorsElementType: String, CaseIterable {
    case bool = "BOOL"
    case f4 = "F4"
    case f6E2M3 = "F6_E2M3"
    case f6E3M2 = "F6_E3M2"
    case u8 = "U8"
    case i8 = "I8"
    case f8E5M2 = "F8_E5M2"
    case f8E4M3 = "F8_E4M3"
    case f8E8M0 = "F8_E8M0"
    case f8E4M3Fnuz = "F8_E4M3FNUZ"
    case f8E5M2Fnuz = "F8_E5M2FNUZ"
    case i16 = "I16"
    case u16 = "U16"
    case f16 = "F16"
    case bf16 = "BF16"
    case i32 = "I32"
    case u32 = "U32"
    case f32 = "F32"
    case c64 = "C64"
    case f64 = "F64"
    case i64 = "I64"
    case u64 = "U64"

    /// The type as which this toolkit holds such elements, nil when it holds none. Doubles become `float32` as they are
    /// read.
    var dtype: DType? {
        switch self {
        case .f32, .f64: .float32
        case .bf16: .bfloat16
        case .f16: .float16
        case .i32: .int32
        case .i64: .int64
        case .u8: .uint8
        case .bool: .bool
        default: nil
        }
    }

    /// The format as which this toolkit holds such elements quantised, nil when it does not.
    var quantization: QuantizationFormat? {
        switch self {
        case .f8E4M3: .float8E4M3
        case .f8E5M2: .float8E5M2
        default: nil
        }
    }

    init(_ dtype: DType) {
        self =
            switch dtype {
            case .float32: .f32
            case .bfloat16: .bf16
            case .float16: .f16
            case .int32: .i32
            case .int64: .i64
            case .uint8: .u8
            case .bool: .bool
            }
    }

    /// The width of one element; the small floating-point types are packed.
    var bitCount: Int {
        switch self {
        case .f4: 4
        case .f6E2M3, .f6E3M2: 6
        case .bool, .u8, .i8, .f8E5M2, .f8E4M3, .f8E8M0, .f8E4M3Fnuz, .f8E5M2Fnuz: 8
        case .i16, .u16, .f16, .bf16: 16
        case .i32, .u32, .f32: 32
        case .c64, .f64, .i64, .u64: 64
        }
    }

    /// The place in upstream's order of writing, which puts the widest alignment first.
    var writingOrder: Int { Self.allCases.count - (Self.allCases.firstIndex(of: self) ?? 0) }
}
