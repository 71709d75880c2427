public import TensorCore

/// An element type of the GGUF format (`enum ggml_type` of `ggml/include/ggml.h`).
public struct GGUFTensorType: Hashable, Sendable, CustomStringConvertible {
    /// The number that stands for it in files.
    public let code: UInt32
    /// ggml's name for it.
    public let name: String
    /// How many numbers a block holds.
    public let blockElements: Int
    /// The size of a block in bytes.
    public let blockByteCount: Int

    private init(_ code: UInt32, _ name: String, _ blockElements: Int, _ blockByteCount: Int) {
        self.code = code
        self.name = name
        self.blockElements = blockElements
        self.blockByteCount = blockByteCount
    }

    /// All types that files may have, those that this toolkit cannot hold included.
    public static let all: [GGUFTensorType] = [
        .init(0, "F32", 1, 4), .init(1, "F16", 1, 2), .init(2, "Q4_0", 32, 18), .init(3, "Q4_1", 32, 20),
        .init(6, "Q5_0", 32, 22), .init(7, "Q5_1", 32, 24), .init(8, "Q8_0", 32, 34), .init(9, "Q8_1", 32, 40),
        .init(10, "Q2_K", 256, 84), .init(11, "Q3_K", 256, 110), .init(12, "Q4_K", 256, 144),
        .init(13, "Q5_K", 256, 176), .init(14, "Q6_K", 256, 210), .init(15, "Q8_K", 256, 292),
        .init(16, "IQ2_XXS", 256, 66), .init(17, "IQ2_XS", 256, 74), .init(18, "IQ3_XXS", 256, 98),
        .init(19, "IQ1_S", 256, 50), .init(20, "IQ4_NL", 32, 18), .init(21, "IQ3_S", 256, 110),
        .init(22, "IQ2_S", 256, 82), .init(23, "IQ4_XS", 256, 136), .init(24, "I8", 1, 1), .init(25, "I16", 1, 2),
        .init(26, "I32", 1, 4), .init(27, "I64", 1, 8), .init(28, "F64", 1, 8), .init(29, "IQ1_M", 256, 56),
        .init(30, "BF16", 1, 2), .init(34, "TQ1_0", 256, 54), .init(35, "TQ2_0", 256, 66), .init(39, "MXFP4", 32, 17),
        .init(40, "NVFP4", 64, 36), .init(41, "Q1_0", 128, 18),
    ]

    /// The type of a number in a file; nil for one that ggml does not have.
    public init?(code: UInt32) {
        guard let type = Self.all.first(where: { $0.code == code }) else { return nil }
        self = type
    }

    /// The type of this name, such as `Q4_K`.
    public init?(name: String) {
        guard let type = Self.all.first(where: { $0.name == name }) else { return nil }
        self = type
    }

    /// The type that holds tensors of `dtype`; nil for `uint8` and `bool`.
    public init?(_ dtype: DType) {
        guard let type = Self.all.first(where: { $0.dtype == dtype }) else { return nil }
        self = type
    }

    /// The type of a quantisation; nil for eight-bit floating point.
    public init?(_ format: QuantizationFormat) { self.init(name: format.rawValue) }

    /// As which elements a `Tensor` holds it, where it does.
    public var dtype: DType? {
        switch name {
        case "F32": .float32
        case "F16": .float16
        case "BF16": .bfloat16
        case "I32": .int32
        case "I64": .int64
        default: nil
        }
    }

    /// As which format a `QuantizedTensor` holds it, where it does.
    public var quantization: QuantizationFormat? { QuantizationFormat(rawValue: name) }

    /// Whether this toolkit can hold such tensors.
    public var isHeld: Bool { dtype != nil || quantization != nil }

    /// ggml's name.
    public var description: String { name }

    /// The size in bytes of `elements`, whole blocks; nil when it overflows.
    func byteCount(of elements: Int) -> Int? {
        let (product, overflow) = (elements / blockElements).multipliedReportingOverflow(by: blockByteCount)
        return overflow ? nil : product
    }
}
