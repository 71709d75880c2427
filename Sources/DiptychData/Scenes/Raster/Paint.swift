/// The colour of every place of an area: red, green, blue (0 … 1) and opacity.
package enum Paint: Sendable {
    /// One colour.
    case flat(SIMD4<Float>)
    /// From one place to another, constant beyond both.
    case linear(from: VectorPath.Point, SIMD4<Float>, to: VectorPath.Point, SIMD4<Float>)
    /// From a centre to a distance from it, constant beyond.
    case radial(VectorPath.Point, SIMD4<Float>, radius: Float, SIMD4<Float>)
    /// Slanting strokes of a pencil: a share of the area, `period` apart, in one colour.
    case hatched(SIMD4<Float>, period: Float)

    /// The colour at a place.
    @inline(__always)
    func color(at place: VectorPath.Point) -> SIMD4<Float> {
        switch self {
        case .flat(let color): return color
        case .linear(let from, let first, let to, let last):
            let way = to - from
            let t = ((place - from) * way).sum() / (way * way).sum()
            return first + (last - first) * min(max(t, 0), 1)
        case .radial(let center, let inner, let radius, let outer):
            let d = place - center
            let t = (d * d).sum().squareRoot() / radius
            return inner + (outer - inner) * min(t, 1)
        case .hatched(let color, let period):
            let t = (place.x + place.y) / period
            let phase = t - t.rounded(.down)
            // A soft ridge: dark in the middle of a stroke, light between two.
            let ridge = 4 * phase * (1 - phase)
            return SIMD4(lowHalf: color.lowHalf, highHalf: [color.z, color.w * (0.55 + 0.45 * ridge)])
        }
    }
}
