#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The weight functions of ``Image/resized(width:height:filter:)``.
public enum ResamplingFilter: String, Sendable, CaseIterable, Codable {
    /// The pixel below each new pixel's centre; no weights.
    case nearest
    /// The triangle of support 1.
    case bilinear
    /// Keys' cubic with a = -0.5, support 2 (Keys 1981, "Cubic convolution interpolation for digital image processing").
    case bicubic
    /// sinc windowed by a wider sinc, support 3 (Duchon 1979, "Lanczos filtering in one and two dimensions").
    case lanczos

    /// How far from its centre the function is not zero, in pixels of the source when enlarging.
    var support: Double {
        switch self {
        case .nearest: 0
        case .bilinear: 1
        case .bicubic: 2
        case .lanczos: 3
        }
    }

    /// The weight at a signed distance from the centre.
    func weight(_ x: Double) -> Double {
        let distance = abs(x)
        switch self {
        case .nearest: return 0
        case .bilinear: return distance < 1 ? 1 - distance : 0
        case .bicubic:
            let a = -0.5
            if distance < 1 { return ((a + 2) * distance - (a + 3)) * distance * distance + 1 }
            if distance < 2 { return (((distance - 5) * distance + 8) * distance - 4) * a }
            return 0
        case .lanczos:
            return x >= -3 && x < 3 ? Self.sinc(x) * Self.sinc(x / 3) : 0
        }
    }

    private static func sinc(_ x: Double) -> Double {
        if x == 0 { return 1 }
        return sin(x * .pi) / (x * .pi)
    }
}

/// The weights of every new pixel along one axis, in fixed point: which pixels of the source it takes, and how much.
///
/// The arithmetic is Pillow's: the filter widened by the reduction, weights normalised in double precision, then
/// rounded to 22 fractional bits, so that a sum of bytes keeps two bits of headroom in 32.
struct ResamplingWeights {
    /// The number of fractional bits.
    static let fractionBits: Int32 = 32 - 8 - 2

    /// The first pixel that each new pixel takes.
    private(set) var first: [Int]
    /// How many it takes.
    private(set) var count: [Int]
    /// The weights, `stride` places a new pixel.
    private(set) var values: [Int32]
    /// The largest possible count.
    let stride: Int

    /// Prepares the change of an axis from `source` to `target` pixels.
    init(source: Int, target: Int, filter: ResamplingFilter) {
        let scale = Double(source) / Double(target)
        let reduction = max(scale, 1)
        let support = filter.support * reduction
        let unit = Double(1 << Self.fractionBits)
        stride = Int(support.rounded(.up)) * 2 + 1
        first = []
        count = []
        first.reserveCapacity(target)
        count.reserveCapacity(target)
        values = [Int32](repeating: 0, count: target * stride)
        var exact = [Double](repeating: 0, count: stride)
        let narrowing = 1 / reduction
        for place in 0..<target {
            let center = (Double(place) + 0.5) * scale
            let low = max(0, Int(center - support + 0.5))
            let high = min(source, Int(center + support + 0.5))
            var sum = 0.0
            for i in 0..<high - low {
                exact[i] = filter.weight((Double(i + low) - center + 0.5) * narrowing)
                sum += exact[i]
            }
            for i in 0..<high - low {
                let normalized = sum != 0 ? exact[i] / sum : exact[i]
                // Rounds half away from zero; the conversion cuts towards it.
                values[place * stride + i] = Int32(normalized * unit + (normalized < 0 ? -0.5 : 0.5))
            }
            first.append(low)
            count.append(high - low)
        }
    }
}
