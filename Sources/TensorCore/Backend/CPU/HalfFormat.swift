import CKernels

/// The 16-bit floating-point types, as runs of bits that kernels widen and narrow.
enum HalfFormat {
    case bfloat16, float16

    /// Nil for all other types.
    init?(_ dtype: DType) {
        switch dtype {
        case .bfloat16: self = .bfloat16
        case .float16: self = .float16
        default: return nil
        }
    }

    /// To `float32`, exactly.
    func widen(_ x: UnsafePointer<UInt16>, _ y: UnsafeMutablePointer<Float>, _ count: Int) {
        switch self {
        case .bfloat16: diptych_bfloat16_to_float32(x, y, count)
        case .float16: diptych_float16_to_float32(x, y, count)
        }
    }

    /// To the nearest, ties to even.
    func narrow(_ x: UnsafePointer<Float>, _ y: UnsafeMutablePointer<UInt16>, _ count: Int) {
        switch self {
        case .bfloat16: diptych_float32_to_bfloat16(x, y, count)
        case .float16: diptych_float32_to_float16(x, y, count)
        }
    }
}

extension Tensor {
    /// The bits of the first 16-bit element, whatever the strides.
    var halves: UnsafeMutablePointer<UInt16> {
        precondition(dtype.byteCount == 2, "reading \(dtype) as 16-bit elements")
        return (storage.base + offset * 2).assumingMemoryBound(to: UInt16.self)
    }
}
