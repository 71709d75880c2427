/// One area of an object, in units of the square that the object fills, its origin in the middle.
struct ScenePart: Sendable {
    /// What colours the area.
    enum Role: Sendable {
        /// The object's colour.
        case body
        /// The object's colour, darker.
        case dark
        /// The object's colour, lighter.
        case light
        /// A colour of the thing itself, such as a trunk's brown.
        case fixed(SIMD4<Float>)
        /// A veil over what lies below, such as the gleam on a ball.
        case veil(SIMD4<Float>)
    }

    let path: VectorPath
    let role: Role
    /// Whether the area belongs to the outline that rims and pens follow.
    let isOutlined: Bool

    init(_ path: VectorPath, _ role: Role, outlined: Bool? = nil) {
        self.path = path
        self.role = role
        if let outlined {
            isOutlined = outlined
        } else if case .veil = role {
            isOutlined = false
        } else {
            isOutlined = true
        }
    }

    static let wood = SIMD4<Float>(rgb: 124, 82, 50)
    static let ink = SIMD4<Float>(rgb: 44, 42, 50)
    static let steel = SIMD4<Float>(rgb: 92, 96, 108)
    static let cream = SIMD4<Float>(rgb: 250, 240, 216)
    static let glass = SIMD4<Float>(rgb: 200, 230, 245)
    static let leaf = SIMD4<Float>(rgb: 60, 130, 62)
    static let gleam = SIMD4<Float>(1, 1, 1, 0.5)
}

extension SceneObjectKind {
    /// What the thing is composed of, the farthest first.
    var parts: [ScenePart] { Self.allParts[self]! }

    private static let allParts: [SceneObjectKind: [ScenePart]] = Dictionary(
        uniqueKeysWithValues: allCases.map { ($0, $0.composed()) })

    private func composed() -> [ScenePart] {
        switch self {
        case .ball: Self.ball()
        case .star: Self.star()
        case .heart: Self.heart()
        case .house: Self.house()
        case .tree: Self.tree()
        case .car: Self.car()
        case .balloon: Self.balloon()
        case .boat: Self.boat()
        case .fish: Self.fish()
        case .flower: Self.flower()
        case .umbrella: Self.umbrella()
        case .mushroom: Self.mushroom()
        case .cup: Self.cup()
        case .kite: Self.kite()
        case .rocket: Self.rocket()
        case .butterfly: Self.butterfly()
        case .picture: Self.picture()
        }
    }
}
