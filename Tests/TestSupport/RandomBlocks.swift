public import TensorCore

extension QuantizedTensor {
    /// Blocks of random bits in any format, with scales of moderate size, so that all numbers are finite.
    public static func sample(_ shape: Shape, _ format: QuantizationFormat, seed: UInt64) -> QuantizedTensor {
        let (size, elements) = (format.blockByteCount, format.blockElements)
        var random = Random(seed: seed)
        var bytes = (0..<shape.count / elements * size).map { _ in UInt8(min(255, random.uniform() * 256)) }
        for block in stride(from: 0, to: bytes.count, by: size) {
            for place in format.halfPlaces {
                // From 2^-10 to 2^-8.
                let half = Float16(0x1p-10 + random.uniform() * 0x1p-8).bitPattern
                bytes[block + place] = UInt8(half & 255)
                bytes[block + place + 1] = UInt8(half >> 8)
            }
            // Neither infinities nor NaN, no large exponents.
            if elements == 1 { bytes[block] &= format == .float8E4M3 ? 0xBF : 0xBE }
        }
        let storage = Tensor(bytes, [bytes.count]).storage
        return QuantizedTensor(storage: storage, format: format, shape: shape)
    }
}

extension QuantizationFormat {
    /// Where a block has its half-precision numbers.
    fileprivate var halfPlaces: [Int] {
        switch self {
        case .q40, .q50, .q80, .iq4NL: [0]
        case .q41, .q51, .q4K, .q5K: [0, 2]
        case .q2K: [80, 82]
        case .q3K: [108]
        case .q6K: [208]
        case .float8E4M3, .float8E5M2: []
        }
    }
}
