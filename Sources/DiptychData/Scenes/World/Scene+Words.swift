extension Scene {
    /// The scene in words: a noun phrase without a full stop. At level 1 it determines the picture but for a pixel.
    public var caption: String {
        let things =
            objects.isEmpty
            ? "nothing"
            : Self.listed(named.map { "\($0.phrase(level: level)) \($0.place(level: level).phrase)" })
        var words = things + " " + setting
        if weather != .clear { words += " " + weather.phrase }
        if let drawing = style.noun { words = "\(drawing) of \(words)" }
        if let look = tone.phrase { words += ", " + look }
        return words
    }

    /// The objects in the order in which they are named: where none hides another, row by row.
    private var named: [SceneObject] {
        guard level == 1 else { return objects }
        func number(_ object: SceneObject) -> Int {
            let place = object.place(level: level)
            return place.row * 3 + place.column
        }
        return objects.sorted { number($0) < number($1) }
    }

    /// Where the scene is: `on a meadow`.
    public var setting: String { background.phrase(photo: photo) }

    private static func listed(_ items: [String]) -> String {
        guard let last = items.last, items.count > 1 else { return items.first ?? "" }
        return items.dropLast().joined(separator: ", ") + " and " + last
    }
}

extension SceneObject {
    /// `red ball`, `blue framed picture of coffee`
    public var name: String {
        kind == .picture ? "\(color.rawValue) framed picture of \(photo ?? "")" : "\(color.rawValue) \(kind.rawValue)"
    }

    /// `a large red ball`; a medium size goes without saying.
    func phrase(level: Int) -> String {
        let words = size == .medium ? name : "\(size.rawValue) \(name)"
        return withArticle(words)
    }
}

/// The words after `a` or `an`.
func withArticle(_ words: String) -> String {
    let isVowel = words.first.map { "aeiou".contains($0) } ?? false
    return (isVowel ? "an " : "a ") + words
}

extension SceneBackground {
    /// `on a meadow`
    func phrase(photo: String?) -> String {
        switch self {
        case .sky: "in the sky"
        case .meadow: "on a meadow"
        case .room: "in a room"
        case .night: "under a night sky"
        case .sea: "by the sea"
        case .city: "in a city"
        case .photo: "on a photograph of \(photo ?? "")"
        }
    }

    /// `a meadow`
    func noun(photo: String?) -> String {
        switch self {
        case .sky: "a blue sky with clouds"
        case .meadow: "a meadow"
        case .room: "a room"
        case .night: "a night sky"
        case .sea: "the sea"
        case .city: "a city"
        case .photo: "a photograph of \(photo ?? "")"
        }
    }
}

extension SceneWeather {
    var phrase: String {
        switch self {
        case .clear: "in clear weather"
        case .sunset: "at sunset"
        case .rain: "in the rain"
        case .snow: "in the snow"
        case .fog: "in the fog"
        }
    }
}

extension SceneStyle {
    /// What such a picture is called; nil for the ordinary one.
    var noun: String? {
        switch self {
        case .illustration: nil
        case .cartoon: "a cartoon"
        case .pastel: "a pastel painting"
        case .pencil: "a pencil drawing"
        }
    }
}

extension SceneTone {
    /// What such a picture looks like; nil for the ordinary one.
    var phrase: String? {
        switch self {
        case .neutral: nil
        case .warm: "in warm tones"
        case .cool: "in cool tones"
        case .blackAndWhite: "in black and white"
        case .sepia: "in sepia"
        case .bright: "overexposed"
        case .dark: "darkened"
        }
    }
}
