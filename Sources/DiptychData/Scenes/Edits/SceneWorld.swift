import TensorCore

/// What scenes of a level are composed of, and the rules that they keep.
struct SceneWorld: Sendable {
    let level: Int
    let photos: ScenePhotos
    let contrast: SceneContrast

    init(level: Int, photos: ScenePhotos) {
        precondition(1...3 ~= level, "level \(level)")
        precondition(level < 3 || photos.names.count >= 2, "level 3 with \(photos.names.count) photographs")
        self.level = level
        self.photos = photos
        contrast = .shared
    }

    var kinds: [SceneObjectKind] { level == 1 ? SceneObjectKind.simple : SceneObjectKind.drawn }
    var colors: [SceneColor] { level == 1 ? SceneColor.simple : SceneColor.allCases }
    var sizes: [SceneSize] { level == 1 ? [.medium, .large] : SceneSize.allCases }
    var places: [ScenePlace] { ScenePlace.all(level: level) }
    var maximumCount: Int { level == 1 ? 2 : 3 }

    /// Weather that suits a background.
    func weathers(_ background: SceneBackground) -> [SceneWeather] { background.weathers }

    /// How far objects stand from the middle of their place: a pixel of 64, at higher levels two.
    private var jitter: Int { level == 1 ? 16 : 32 }

    /// A scene of `count` objects of ordinary weather, style and tone; nil when the draw broke a rule.
    func scene(count: Int, _ random: inout Random) -> Scene? {
        var scene = Scene(level: level, background: .sky, grain: Int(random.next()))
        if level == 3 {
            scene.background = .photo
            scene.photo = random.element(of: photos.names)
            scene.crop = random.integer(below: ScenePhotos.cropCount)
        } else {
            scene.background = random.element(of: level == 1 ? SceneBackground.simple : SceneBackground.drawn)
        }
        if level > 1 {
            scene.style = random.element(of: SceneStyle.allCases)
            let weathers = weathers(scene.background)
            if random.integer(below: 5) >= 3 { scene.weather = random.element(of: weathers) }
        }
        for _ in 0..<count {
            let size = level == 1 ? .medium : random.element(of: SceneSize.allCases)
            scene.objects.append(object(size: size, &random))
        }
        return keepsRules(scene) ? scene : nil
    }

    /// A new object at a random place.
    func object(size: SceneSize, _ random: inout Random) -> SceneObject {
        let isPicture = level == 3 && random.integer(below: 5) == 0
        var object = SceneObject(
            isPicture ? .picture : random.element(of: kinds), random.element(of: colors), size, x: 0, y: 0,
            photo: isPicture ? random.element(of: photos.names) : nil)
        put(&object, at: random.element(of: places), &random)
        return object
    }

    /// Stands an object at a place, a little beside its middle, within the panel.
    func put(_ object: inout SceneObject, at place: ScenePlace, _ random: inout Random) {
        let side = object.size.side(level: level)
        let center = place.center(side: side)
        func shifted(_ value: Int) -> Int {
            min(max(value + random.integer(below: 2 * jitter + 1) - jitter, side / 2), 1024 - side / 2)
        }
        object.x = shifted(center.x)
        object.y = shifted(center.y)
    }

    /// Whether every object can be told from the others and from the background.
    func keepsRules(_ scene: Scene) -> Bool {
        guard 1...maximumCount ~= scene.objects.count else { return false }
        for (i, object) in scene.objects.enumerated() {
            for other in scene.objects[..<i] where !areApart(object, other) { return false }
            if level < 3, !contrast.shows(object.color, in: scene) { return false }
        }
        return true
    }

    private func areApart(_ a: SceneObject, _ b: SceneObject) -> Bool {
        if a.kind == b.kind && (a.color == b.color || level == 1 && a.kind == .picture) && a.photo == b.photo {
            return false
        }
        let (p, q) = (a.place(level: level), b.place(level: level))
        if p == q { return false }
        if level == 1 {
            // A large thing fills half of its neighbour's place, too.
            let isLarge = a.size == .large || b.size == .large
            return !(isLarge && p.row == q.row && abs(p.column - q.column) == 1)
        }
        // Overlaps are welcome as long as most of both is seen.
        let (dx, dy) = (a.x - b.x, a.y - b.y)
        let reach = (a.size.side(level: level) + b.size.side(level: level)) * 31 / 100
        return dx * dx + dy * dy >= reach * reach
    }
}

/// Which colours stand out from which backgrounds, as measured on the backgrounds' own drawings.
package struct SceneContrast: Sendable {
    /// Measured once.
    package static let shared = SceneContrast()

    private struct Key: Hashable {
        let background: SceneBackground
        let weather: SceneWeather
        let style: SceneStyle
        let color: SceneColor
    }
    private let distances: [Key: Float]

    /// The least distance at which a colour is taken to stand out.
    static let least: Float = 0.3

    private init() {
        var distances: [Key: Float] = [:]
        let renderer = SceneRenderer(size: 48)
        for background in SceneBackground.drawn {
            for weather in background.weathers {
                for style in SceneStyle.allCases {
                    let scene = Scene(level: 2, background: background, weather: weather, style: style)
                    let means = Self.blockMeans(renderer.canvas(of: scene), side: 6)
                    for color in SceneColor.allCases {
                        let drawn =
                            weather == .fog
                            ? Self.drawn(color, style).mixed([0.88, 0.88, 0.9, 1], 0.3)
                            : Self.drawn(color, style)
                        distances[Key(background: background, weather: weather, style: style, color: color)] =
                            means.map { $0.distance(to: drawn) }.min()
                    }
                }
            }
        }
        self.distances = distances
    }

    /// Whether a colour stands out from every part of a scene's background.
    func shows(_ color: SceneColor, in scene: Scene) -> Bool { distance(color, in: scene) >= Self.least }

    /// The distance of a colour, as the scene's style draws it, from the nearest part of its background.
    package func distance(_ color: SceneColor, in scene: Scene) -> Float {
        distances[Key(background: scene.background, weather: scene.weather, style: scene.style, color: color)] ?? 0
    }

    /// The middle of an object's body.
    private static func drawn(_ color: SceneColor, _ style: SceneStyle) -> SIMD4<Float> {
        switch style {
        case .illustration, .cartoon: color.value
        case .pastel: color.value.lighter(0.22)
        case .pencil: color.value.lighter(0.15)
        }
    }

    private static func blockMeans(_ canvas: Canvas, side: Int) -> [SIMD4<Float>] {
        var means: [SIMD4<Float>] = []
        for top in stride(from: 0, to: canvas.height, by: side) {
            for left in stride(from: 0, to: canvas.width, by: side) {
                var sum = SIMD4<Float>.zero
                for y in top..<top + side { for x in left..<left + side { sum += canvas.pixels[y * canvas.width + x] } }
                means.append(sum / Float(side * side))
            }
        }
        return means
    }
}
