import Foundation
public import TensorCore

/// The one way in which numbers that are written get a narrower type: what is too large for it is refused, what is too
/// small for it becomes zero and is counted.
///
/// ```swift
/// var narrowing = Narrowing()
/// let half = try narrowing.convert(weight, to: .float16, path: file.path, key: "proj_out.weight")
/// if let notice = narrowing.notice { print("note: \(notice)") }
/// ```
public struct Narrowing: Sendable, Equatable {
    /// What was lost so far, by the name of the type.
    public private(set) var losses: [String: ConversionLoss] = [:]

    /// Nothing was converted yet.
    public init() {}

    /// The numbers of a floating-point tensor in `dtype`. `path` and `key` say where they come from.
    ///
    /// Throws ``FileError`` when one is too large for `dtype`, or is not finite to begin with.
    public mutating func convert(_ tensor: Tensor, to dtype: DType, path: String, key: String) throws -> Tensor {
        precondition(dtype.isFloatingPoint, "numbers narrowed to \(dtype)")
        if tensor.dtype == dtype {
            if !tensor.isFinite { throw Self.notFinite(path, key) }
            return tensor
        }
        let wide = tensor.converted(to: .float32)
        let narrow = wide.converted(to: dtype)
        try count(narrow.converted(to: .float32), of: wide, in: dtype.rawValue, path: path, key: key)
        return narrow
    }

    /// The numbers of a tensor in the blocks of `format`. In a block, numbers far below its largest are rounded to zero, as
    /// meant; only what a scale too small for its type took counts as lost: blocks that are zero as a whole.
    ///
    /// Throws as ``convert(_:to:path:key:)`` does.
    public mutating func quantize(
        _ tensor: Tensor, to format: QuantizationFormat, path: String, key: String
    ) throws -> QuantizedTensor {
        let wide = tensor.converted(to: .float32)
        if !wide.isFinite { throw Self.notFinite(path, key) }
        let result = QuantizedTensor(quantizing: wide, to: format)
        let blocks = [-1, format.blockElements]
        let largest = wide.contiguous().reshaped(to: blocks).applying(.absolute).maximum(axes: [1])
        let kept = result.dequantized(to: .float32).reshaped(to: blocks).applying(.absolute).maximum(axes: [1])
        try count(kept, of: largest, in: format.rawValue, path: path, key: key)
        return result
    }

    private mutating func count(_ narrow: Tensor, of wide: Tensor, in type: String, path: String, key: String) throws {
        let loss = narrow.loss(from: wide)
        if loss.overflowed > 0 {
            let largest = wide.applying(.absolute).maximum().scalar
            throw FileError(
                path, key: key, expected: "numbers within the range of \(type)",
                found: "\(loss.overflowed) that are too large, up to \(largest)")
        }
        if !wide.isFinite { throw Self.notFinite(path, key) }
        losses[type, default: ConversionLoss()] += loss
    }

    private static func notFinite(_ path: String, _ key: String) -> FileError {
        FileError(path, key: key, expected: "finite numbers", found: "NaN or infinity")
    }

    /// What became zero, in a sentence; nil when nothing did.
    public var notice: String? {
        let parts = losses.sorted { $0.key < $1.key }.compactMap { type, loss -> String? in
            if loss.vanished == 0 { return nil }
            let share = Double(loss.vanished) / Double(loss.numbers) * 100
            let noun = QuantizationFormat(rawValue: type) == nil ? "numbers" : "blocks"
            return "\(loss.vanished) of \(loss.numbers) \(noun) (\(String(format: "%.2g", share)) %) are too small for "
                + "\(type) and became 0"
        }
        return parts.isEmpty ? nil : parts.joined(separator: "; ")
    }
}
