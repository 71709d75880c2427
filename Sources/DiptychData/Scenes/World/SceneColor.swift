/// The colours that objects come in.
public enum SceneColor: String, Sendable, Codable, CaseIterable {
    case red, orange, yellow, green, blue, purple
    case pink, turquoise, brown, white, black

    /// The six of level 1, which stand out from each of its backgrounds.
    public static let simple: [SceneColor] = [.red, .orange, .yellow, .green, .blue, .purple]

    /// Red, green and blue, 0 … 1.
    package var value: SIMD4<Float> {
        let rgb: SIMD3<Float> =
            switch self {
            case .red: [214, 28, 44]
            case .orange: [247, 130, 15]
            case .yellow: [252, 214, 24]
            case .green: [26, 150, 66]
            case .blue: [36, 88, 222]
            case .purple: [138, 44, 170]
            case .pink: [244, 122, 182]
            case .turquoise: [16, 178, 182]
            case .brown: [122, 72, 36]
            case .white: [246, 246, 242]
            case .black: [38, 38, 44]
            }
        return SIMD4(rgb / 255, 1)
    }
}

extension SIMD4<Float> {
    /// A colour from 8-bit values, opaque unless told.
    init(rgb red: Float, _ green: Float, _ blue: Float, alpha: Float = 1) {
        self.init(red / 255, green / 255, blue / 255, alpha)
    }

    /// This colour, a share of the way to another; opacity stays.
    func mixed(_ other: SIMD4<Float>, _ share: Float) -> SIMD4<Float> {
        var result = self + (other - self) * share
        result.w = w
        return result
    }

    /// This colour with white.
    func lighter(_ share: Float) -> SIMD4<Float> { mixed([1, 1, 1, 1], share) }

    /// This colour with black.
    func darker(_ share: Float) -> SIMD4<Float> { mixed([0, 0, 0, 1], share) }

    /// This colour, more or less opaque.
    func opacity(_ alpha: Float) -> SIMD4<Float> { SIMD4(x, y, z, alpha) }

    /// How far apart two colours look: the Euclidean distance of 0 … 1 values.
    func distance(to other: SIMD4<Float>) -> Float {
        let d = SIMD3(x - other.x, y - other.y, z - other.z)
        return (d * d).sum().squareRoot()
    }
}
