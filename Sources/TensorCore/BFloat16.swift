/// The upper half of a `Float`: eight exponent bits and seven fraction bits.
///
/// The standard library has no such type. Arithmetic is done in `Float`; only storage and rounding live here.
public struct BFloat16: TensorElement, Hashable, CustomStringConvertible {
    /// The sixteen bits as they lie in memory.
    public var bitPattern: UInt16

    /// `bfloat16`.
    public static var dtype: DType { .bfloat16 }

    /// Takes the bits as they are.
    @inlinable
    public init(bitPattern: UInt16) { self.bitPattern = bitPattern }

    /// Rounds to the nearest representable value, ties to even; a NaN stays a (quiet) NaN.
    @inlinable
    public init(_ value: Float) {
        let bits = value.bitPattern
        if bits & 0x7FFF_FFFF > 0x7F80_0000 {
            bitPattern = UInt16(truncatingIfNeeded: bits >> 16) | 0x0040
        } else {
            bitPattern = UInt16(truncatingIfNeeded: (bits &+ 0x7FFF &+ ((bits >> 16) & 1)) >> 16)
        }
    }

    /// The same value as a `Float`, exactly.
    @inlinable public var float: Float { Float(bitPattern: UInt32(bitPattern) << 16) }

    /// The value in decimal.
    public var description: String { float.description }
}
