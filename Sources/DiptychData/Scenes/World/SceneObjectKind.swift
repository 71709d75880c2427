/// The things that stand in scenes.
public enum SceneObjectKind: String, Sendable, Codable, CaseIterable {
    case ball, star, heart, house, tree, car
    case balloon, boat, fish, flower, umbrella, mushroom, cup, kite, rocket, butterfly
    /// A framed photograph; level 3 only.
    case picture

    /// The six of level 1: outlines that differ at twenty pixels.
    public static let simple: [SceneObjectKind] = [.ball, .star, .heart, .house, .tree, .car]

    /// All that are drawn.
    public static let drawn: [SceneObjectKind] = allCases.filter { $0 != .picture }
}

/// How large things are, as a share of the panel's height.
public enum SceneSize: String, Sendable, Codable, CaseIterable {
    case small, medium, large

    /// The side of the square that an object fills, in 1024ths of the panel.
    public func side(level: Int) -> Int {
        switch self {
        // Level 1 has no small things.
        case .small: 250
        case .medium: level == 1 ? 320 : 360
        case .large: level == 1 ? 464 : 500
        }
    }
}
