import CKernels

/// A format in which numbers are stored in fewer than sixteen bits each: GGUF's blocks that share scales, and
/// eight-bit floating point.
public enum QuantizationFormat: String, Sendable, CaseIterable, Codable, CustomStringConvertible {
    /// `d q`, 32 numbers of four bits to a scale.
    case q40 = "Q4_0"
    /// `d q + m`, 32 numbers of four bits.
    case q41 = "Q4_1"
    /// `d q`, 32 numbers of five bits.
    case q50 = "Q5_0"
    /// `d q + m`, 32 numbers of five bits.
    case q51 = "Q5_1"
    /// `d q`, 32 numbers of eight bits.
    case q80 = "Q8_0"
    /// Four bits on an uneven grid, 32 numbers to a scale.
    case iq4NL = "IQ4_NL"
    /// Two bits, 256 numbers in sub-blocks of 16 with scales and minima of four bits.
    case q2K = "Q2_K"
    /// Three bits, 256 numbers in sub-blocks of 16 with scales of six bits.
    case q3K = "Q3_K"
    /// Four bits, 256 numbers in sub-blocks of 32 with scales and minima of six bits.
    case q4K = "Q4_K"
    /// Five bits, 256 numbers in sub-blocks of 32 with scales and minima of six bits.
    case q5K = "Q5_K"
    /// Six bits, 256 numbers in sub-blocks of 16 with scales of eight bits.
    case q6K = "Q6_K"
    /// Four bits of exponent and three of fraction, one number at a time; no infinities (`float8_e4m3fn`).
    case float8E4M3 = "F8_E4M3"
    /// Five bits of exponent and two of fraction, one number at a time (`float8_e5m2`).
    case float8E5M2 = "F8_E5M2"

    /// How many numbers a block holds: 1, 32 or 256.
    public var blockElements: Int { diptych_block_elements(code) }

    /// The size of a block in bytes.
    public var blockByteCount: Int { diptych_block_bytes(code) }

    /// How many bits a number takes, its share of the scales included.
    public var bitsPerElement: Double { Double(8 * blockByteCount) / Double(blockElements) }

    /// Whether ``QuantizedTensor/init(quantizing:to:)`` writes it.
    public var isWritable: Bool { diptych_can_quantize(code) }

    /// The format's name in files.
    public var description: String { rawValue }

    var code: diptych_block_format {
        switch self {
        case .q40: DIPTYCH_Q4_0
        case .q41: DIPTYCH_Q4_1
        case .q50: DIPTYCH_Q5_0
        case .q51: DIPTYCH_Q5_1
        case .q80: DIPTYCH_Q8_0
        case .iq4NL: DIPTYCH_IQ4_NL
        case .q2K: DIPTYCH_Q2_K
        case .q3K: DIPTYCH_Q3_K
        case .q4K: DIPTYCH_Q4_K
        case .q5K: DIPTYCH_Q5_K
        case .q6K: DIPTYCH_Q6_K
        case .float8E4M3: DIPTYCH_F8_E4M3
        case .float8E5M2: DIPTYCH_F8_E5M2
        }
    }
}
