/// What lies behind the objects.
public enum SceneBackground: String, Sendable, Codable, CaseIterable {
    case sky, meadow, room, night, sea, city
    /// A crop of a photograph; level 3 only.
    case photo

    /// The four of level 1.
    public static let simple: [SceneBackground] = [.sky, .meadow, .room, .night]

    /// All that are drawn.
    public static let drawn: [SceneBackground] = allCases.filter { $0 != .photo }

    /// The weather that suits.
    package var weathers: [SceneWeather] {
        switch self {
        case .room: [.clear]
        case .night: [.clear, .rain, .snow]
        default: SceneWeather.allCases
        }
    }
}

/// Time and weather.
public enum SceneWeather: String, Sendable, Codable, CaseIterable {
    case clear, sunset, rain, snow, fog
}

/// How a scene is drawn.
public enum SceneStyle: String, Sendable, Codable, CaseIterable {
    /// Shaded bodies with a fine rim of their own colour.
    case illustration
    /// Flat colours in bold black lines.
    case cartoon
    /// Pale colours on grainy paper, without lines.
    case pastel
    /// Hatched colours in lines of the same colour on white paper.
    case pencil
}

/// The tone of the whole picture.
public enum SceneTone: String, Sendable, Codable, CaseIterable {
    case neutral, warm, cool
    case blackAndWhite = "black_and_white"
    case sepia, bright, dark

    /// What the tone makes of a colour.
    @inline(__always)
    func applied(to color: SIMD4<Float>) -> SIMD4<Float> {
        let grey = (color * [0.299, 0.587, 0.114, 0]).sum()
        switch self {
        case .neutral: return color
        case .warm: return color * [1.06, 0.96, 0.68, 1] + [0.05, 0.02, 0, 0]
        case .cool: return color * [0.68, 0.93, 1.04, 1] + [0, 0.02, 0.06, 0]
        case .blackAndWhite: return [grey, grey, grey, 1]
        case .sepia: return SIMD4(0.25, 0.16, 0.08, 1) + grey * [0.72, 0.68, 0.58, 0]
        case .bright: return 1 - (1 - color) * 0.55
        case .dark: return color * 0.5
        }
    }
}
