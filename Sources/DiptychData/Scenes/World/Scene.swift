/// A picture of the generated world, described: whoever has the description can draw the picture.
///
///     let scene = Scene(level: 1, background: .meadow, objects: [SceneObject(.ball, .red, .medium, x: 171, y: 256)])
///     scene.caption                                  // "a red ball at the top left of a meadow"
///     try SceneRenderer(size: 256).image(of: scene)
public struct Scene: Sendable, Hashable, Codable {
    /// What the world is composed of, 1 … 3.
    public var level: Int
    /// What lies behind.
    public var background: SceneBackground
    /// Of a ``SceneBackground/photo``, the photograph's name.
    public var photo: String?
    /// Of a photograph, which of its crops.
    public var crop: Int?
    /// Time and weather.
    public var weather: SceneWeather
    /// How it is drawn.
    public var style: SceneStyle
    /// The tone of the whole.
    public var tone: SceneTone
    /// The objects, the nearest last.
    public var objects: [SceneObject]
    /// What the soft noise of the background depends on.
    public var grain: Int

    /// Collects the parts.
    public init(
        level: Int, background: SceneBackground, photo: String? = nil, crop: Int? = nil, weather: SceneWeather = .clear,
        style: SceneStyle = .illustration, tone: SceneTone = .neutral, objects: [SceneObject] = [], grain: Int = 0
    ) {
        self.level = level
        self.background = background
        self.photo = photo
        self.crop = crop
        self.weather = weather
        self.style = style
        self.tone = tone
        self.objects = objects
        self.grain = grain
    }
}

/// A thing in a scene.
public struct SceneObject: Sendable, Hashable, Codable {
    /// What it is.
    public var kind: SceneObjectKind
    /// Its colour, or that of a picture's frame.
    public var color: SceneColor
    /// How large it is.
    public var size: SceneSize
    /// The centre's column in 1024ths of the panel.
    public var x: Int
    /// The centre's row in 1024ths of the panel.
    public var y: Int
    /// Of a ``SceneObjectKind/picture``, the photograph's name.
    public var photo: String?

    /// Collects the parts.
    public init(_ kind: SceneObjectKind, _ color: SceneColor, _ size: SceneSize, x: Int, y: Int, photo: String? = nil) {
        self.kind = kind
        self.color = color
        self.size = size
        self.x = x
        self.y = y
        self.photo = photo
    }

    /// The named place where it stands.
    public func place(level: Int) -> ScenePlace { ScenePlace(x: x, y: y, level: level) }
}
