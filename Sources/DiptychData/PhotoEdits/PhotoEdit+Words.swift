extension PhotoEdit {
    /// Ways to demand the edit. Each names every parameter, and no other edit has any of them.
    public var instructions: [String] {
        switch self {
        case .whole(let edit): return edit.instructions
        case .tinted(let region, let color):
            return [
                "tint the \(region.rawValue) \(color.rawValue)",
                "give the \(region.rawValue) a \(color.rawValue) tint",
                "make the \(region.rawValue) of the picture \(color.rawValue)-tinted",
            ]
        case .framed(let color):
            return [
                "put a \(color.rawValue) frame around the picture",
                "add a \(color.rawValue) border to the photo",
                "frame the image in \(color.rawValue)",
            ]
        case .added(let mark):
            return [
                "add a \(mark.name) \(mark.position)",
                "put a \(mark.name) \(mark.position)",
                "draw a \(mark.name) \(mark.position) of the picture",
            ]
        case .removed(let mark):
            return [
                "remove the \(mark.name) from the \(mark.place.rawValue)",
                "erase the \(mark.name) \(mark.position)",
                "take the \(mark.name) \(mark.position) away",
            ]
        case .recolored(let mark, let color):
            return [
                "make the \(mark.name) \(mark.position) \(color.rawValue)",
                "change the color of the \(mark.name) \(mark.position) to \(color.rawValue)",
                "recolor the \(mark.name) \(mark.position) in \(color.rawValue)",
            ]
        case .replaced(let mark, let shape, let color):
            return [
                "replace the \(mark.name) \(mark.position) with a \(color.rawValue) \(shape.rawValue)",
                "turn the \(mark.name) \(mark.position) into a \(color.rawValue) \(shape.rawValue)",
                "swap the \(mark.name) \(mark.position) for a \(color.rawValue) \(shape.rawValue)",
            ]
        }
    }

    /// What the source and the target show, as far as the edit tells: noun phrases with an article.
    public var captions: (source: String, target: String) {
        let plain = "a photograph"
        func with(_ mark: EditMark) -> String { "\(plain) with a \(mark.name) \(mark.position)" }
        switch self {
        case .whole(let edit): return (plain, edit.caption)
        case .tinted(let region, let color):
            return (plain, "\(plain) whose \(region.rawValue) is tinted \(color.rawValue)")
        case .framed(let color): return (plain, "\(plain) in a \(color.rawValue) frame")
        case .added(let mark): return (plain, with(mark))
        case .removed(let mark): return (with(mark), plain)
        case .recolored(let mark, let color):
            return (with(mark), with(EditMark(shape: mark.shape, color: color, place: mark.place)))
        case .replaced(let mark, let shape, let color):
            return (with(mark), with(EditMark(shape: shape, color: color, place: mark.place)))
        }
    }
}

extension EditMark {
    /// `red disc`
    var name: String { "\(color.rawValue) \(shape.rawValue)" }

    /// `in the top left corner`, `at the top`; bands run `along the top`.
    var position: String {
        let word =
            switch (shape, place) {
            case (.stripe, _): "along"
            case (_, .top), (_, .bottom): "at"
            case (_, .left), (_, .right): "on"
            default: "in"
            }
        return "\(word) the \(place.rawValue)"
    }
}

extension WholeEdit {
    /// Ways to demand the edit.
    public var instructions: [String] {
        switch self {
        case .blackAndWhite:
            ["make it black and white", "turn the photo into a black and white picture", "remove all color"]
        case .sepia:
            ["give the picture a sepia tone", "make it look like an old sepia photograph", "apply a sepia filter"]
        case .negative:
            ["invert the colors", "turn the picture into a color negative", "make it a photographic negative"]
        case .brighter: ["make it brighter", "brighten the picture", "increase the brightness of the photo"]
        case .darker: ["make it darker", "darken the picture", "halve the brightness of the photo"]
        case .colder:
            [
                "make the colors colder", "give the photo a cold white balance",
                "shift the whole picture to cooler tones",
            ]
        case .warmer:
            [
                "make the colors warmer", "give the photo a warm white balance",
                "shift the whole picture to warmer tones",
            ]
        case .vivid: ["make the colors more vivid", "increase the saturation", "make the photo more colorful"]
        case .muted: ["mute the colors", "reduce the saturation", "make the photo less colorful"]
        case .mirrored:
            ["flip the picture horizontally", "mirror the photo from left to right", "show the mirror image"]
        case .flipped:
            [
                "flip the picture vertically", "mirror the photo from top to bottom",
                "flip the image about its horizontal axis",
            ]
        case .upsideDown:
            ["turn the picture upside down", "rotate the photo by 180 degrees", "turn the image by half a turn"]
        case .zoomed:
            [
                "zoom in on the center", "enlarge the middle of the picture to twice its size",
                "crop to the central half of the photo and fill the frame with it",
            ]
        case .posterized:
            [
                "posterize the picture", "reduce the photo to five levels per color channel",
                "make it look like a poster printed in a few flat colors",
            ]
        case .pixelated:
            ["pixelate the picture", "show the photo in large square pixels", "turn it into coarse pixel art"]
        case .night: ["make it night", "change the time of day to night", "turn the photo into a night scene"]
        case .blurredBorder:
            [
                "blur everything except the center", "keep the center sharp and blur the borders",
                "focus on the center and blur the surroundings",
            ]
        case .vignette:
            ["add a vignette", "darken the corners of the picture", "let the photo fade to dark towards its corners"]
        case .sketch:
            [
                "turn it into a pencil sketch", "redraw the photo as a pencil drawing",
                "make it a gray sketch on white paper",
            ]
        }
    }

    /// What the edited picture is, as far as the edit tells.
    var caption: String {
        switch self {
        case .blackAndWhite: "a black and white photograph"
        case .sepia: "a sepia photograph"
        case .negative: "a photographic negative"
        case .brighter: "a bright photograph"
        case .darker: "a dark photograph"
        case .colder: "a photograph in cold tones"
        case .warmer: "a photograph in warm tones"
        case .vivid: "a photograph in vivid colors"
        case .muted: "a photograph in muted colors"
        case .mirrored: "a photograph mirrored from left to right"
        case .flipped: "a photograph mirrored from top to bottom"
        case .upsideDown: "a photograph that is upside down"
        case .zoomed: "a close-up photograph"
        case .posterized: "a posterized photograph"
        case .pixelated: "a photograph in large square pixels"
        case .night: "a photograph taken at night"
        case .blurredBorder: "a photograph with a sharp center and blurred borders"
        case .vignette: "a photograph with a dark vignette"
        case .sketch: "a pencil sketch"
        }
    }
}
