/// What time and weather do to a picture. All of it lies still, so that words determine the picture.
extension SceneWeather {
    /// Changes the background before the objects come.
    func tint(_ canvas: inout Canvas) {
        switch self {
        case .clear: break
        case .sunset:
            canvas.map { ($0 * [0.92, 0.7, 0.66, 1]).mixed([0.5, 0.2, 0.4, 1], 0.12) }
            canvas.fill(
                .box([0, 0], [1, 1]), scale: Float(max(canvas.width, canvas.height)),
                .linear(
                    from: [0, 0], .init(rgb: 120, 60, 150, alpha: 0.38), to: [0, 0.75],
                    .init(rgb: 255, 176, 96, alpha: 0.5)))
        case .rain: canvas.map { $0.mixed(.init(rgb: 112, 122, 138), 0.55) }
        case .snow: canvas.map { $0.mixed(.init(rgb: 168, 182, 204), 0.55) }
        case .fog: canvas.map { $0.mixed(.init(rgb: 214, 217, 221), 0.72) }
        }
    }

    /// Lays what is in the air over the objects.
    func veil(_ canvas: inout Canvas) {
        let scale = Float(max(canvas.width, canvas.height))
        switch self {
        case .clear: break
        case .sunset: canvas.map { $0 * [1, 0.93, 0.88, 1] }
        case .rain: canvas.fill(Self.streaks, scale: scale, .flat(.init(rgb: 226, 236, 250, alpha: 0.6)))
        case .snow: canvas.fill(Self.flakes, scale: scale, .flat([1, 1, 1, 0.95]))
        case .fog: canvas.map { $0.mixed(.init(rgb: 224, 226, 229), 0.3) }
        }
    }

    /// Points spread evenly by the plastic number's sequence (Roberts 2018, "The unreasonable effectiveness of
    /// quasirandom sequences").
    private static func spread(_ count: Int) -> [VectorPath.Point] {
        (1...count).map { i in
            let point = VectorPath.Point(Float(i) * 0.754_877_67, Float(i) * 0.569_840_3)
            return point - point.rounded(.down)
        }
    }

    private static let streaks = spread(44).reduce(into: VectorPath()) { path, point in
        let place = point * 1.1 - 0.05
        path = path.with(.line([place + [0.012, -0.04], place + [-0.012, 0.04]], width: 0.011))
    }

    private static let flakes = spread(52).enumerated().reduce(into: VectorPath()) { path, item in
        path = path.with(.disc(item.element, [0.011, 0.015, 0.019][item.offset % 3]))
    }
}
