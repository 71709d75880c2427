import CKernels

/// The 16-bit floating-point types, as runs of bits that kernels widen and narrow.
enum HalfFormat {
    case bfloat16, float16

    /// As many elements as are widened at a time: they stay in the first-level cache.
    static let block = 1024

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

    /// Two runs of 16-bit elements through a kernel of `float32`, block by block.
    func withWidened(
        _ x: UnsafePointer<UInt16>, _ p: Int, _ y: UnsafePointer<UInt16>, _ q: Int, _ to: UnsafeMutablePointer<UInt16>,
        _ count: Int,
        _ kernel: (UnsafePointer<Float>, Int, UnsafePointer<Float>, Int, UnsafeMutablePointer<Float>, Int) -> Void
    ) {
        let size = Self.block
        withUnsafeTemporaryAllocation(of: Float.self, capacity: 3 * size) { buffer in
            let u = buffer.baseAddress!
            let (v, w) = (u + size, u + 2 * size)
            for start in stride(from: 0, to: count, by: size) {
                let length = min(size, count - start)
                let (stepU, stepV) = (
                    widen(x + start * p, step: p, u, length), widen(y + start * q, step: q, v, length)
                )
                kernel(u, stepU, v, stepV, w, length)
                narrow(w, to + start, length)
            }
        }
    }

    /// Widens `count` elements `step` apart; gives the step between the results, 0 or 1.
    private func widen(_ x: UnsafePointer<UInt16>, step: Int, _ y: UnsafeMutablePointer<Float>, _ count: Int) -> Int {
        switch step {
        case 0:
            widen(x, y, 1)
            return 0
        case 1: widen(x, y, count)
        default: for i in 0..<count { widen(x + i * step, y + i, 1) }
        }
        return 1
    }
}

extension Tensor {
    /// The bits of the first 16-bit element, whatever the strides.
    var halves: UnsafeMutablePointer<UInt16> {
        precondition(dtype.byteCount == 2, "reading \(dtype) as 16-bit elements")
        return (storage.base + offset * 2).assumingMemoryBound(to: UInt16.self)
    }
}
