import Foundation

/// The ways to draw.
extension SceneStyle {
    private static let paper = SIMD4<Float>(rgb: 250, 248, 242)

    /// Redraws a background, drawn or photographed.
    func redraw(_ canvas: inout Canvas) {
        let (width, side) = (canvas.width, Float(max(canvas.width, canvas.height)))
        switch self {
        case .illustration: break
        case .cartoon:
            // Few steps of brightness, and livelier hues.
            canvas.map { old in
                let grey = (old * [0.299, 0.587, 0.114, 0]).sum()
                let step = (grey * 9).rounded() / 9
                return (old - grey) * 1.4 + step
            }
        case .pastel:
            for i in canvas.pixels.indices {
                let grain = Self.noise(i % width, i / width) * 0.05 - 0.025
                canvas.pixels[i] = canvas.pixels[i].mixed(Self.paper, 0.4) + grain
            }
        case .pencil:
            for i in canvas.pixels.indices {
                let place = SIMD2(Float(i % width), Float(i / width)) / side
                let t = (place.x + place.y) / 0.05
                let phase = t - t.rounded(.down)
                canvas.pixels[i] = Self.paper.mixed(canvas.pixels[i], 0.36 + 0.8 * phase * (1 - phase))
            }
        }
    }

    /// A fixed value of 0 … 1 for each pixel, the grain of the paper.
    private static func noise(_ x: Int, _ y: Int) -> Float {
        var word = UInt32(truncatingIfNeeded: x &* 0x1657 &+ y &* 0x2F0B53) &+ 0x9E37_79B9
        word = (word ^ word >> 15) &* 0x2C1B_3C6D
        word = (word ^ word >> 12) &* 0x297A_2D39
        return Float((word ^ word >> 15) >> 8) * 0x1p-24
    }

    /// The pen that rims an object: how far it reaches beyond the edge, as a share of the object's side, and its colour.
    func pen(_ color: SIMD4<Float>) -> (width: Float, color: SIMD4<Float>)? {
        switch self {
        case .illustration: (0.028, color.darker(0.45))
        case .cartoon: (0.055, .init(rgb: 22, 20, 26))
        case .pastel: nil
        case .pencil: (0.03, color.darker(0.35))
        }
    }

    /// What fills a part of an object: layers, the lowest first.
    func paints(_ role: ScenePart.Role, _ color: SIMD4<Float>) -> [Paint] {
        let plain: SIMD4<Float>
        switch role {
        case .body: plain = color
        case .dark: plain = color.darker(0.3)
        case .light: plain = color.lighter(0.42)
        case .fixed(let own): plain = own
        case .veil(let veil): return self == .pencil ? [] : [.flat(veil)]
        }
        switch self {
        case .illustration:
            return [.linear(from: [-0.4, -0.45], plain.lighter(0.16), to: [0.4, 0.45], plain.darker(0.14))]
        case .cartoon: return [.flat(plain)]
        case .pastel: return [.linear(from: [0, -0.5], plain.lighter(0.3), to: [0, 0.5], plain.lighter(0.16))]
        case .pencil: return [.flat(Self.paper.mixed(plain, 0.35)), .hatched(plain.opacity(0.9), period: 0.14)]
        }
    }
}
