extension SceneEdit {
    /// Ways to demand the edit; each determines the target.
    public var instructions: [String] {
        switch task {
        case .add: adding(target.objects[object!])
        case .remove: removing(source.objects[object!])
        case .swap: swapping(source.objects[object!], target.objects[object!])
        case .recolor: recoloring(source.objects[object!], target.objects[object!].color.rawValue)
        case .resize: resizing(source.objects[object!], target.objects[object!])
        case .move: moving(source.objects[object!], target.objects[object!])
        case .background: settings
        case .weather: weathers
        case .style: styles
        case .tone: tones
        }
    }

    private var level: Int { source.level }

    private func located(_ object: SceneObject) -> String {
        "the \(object.name) \(object.place(level: level).phrase)"
    }

    private func adding(_ new: SceneObject) -> [String] {
        let (thing, place) = (new.phrase(level: level), new.place(level: level).phrase)
        return [
            "add \(thing) \(place)", "put \(thing) \(place)", "place \(thing) \(place) of the picture",
            "draw \(thing) \(place)", "let there be \(thing) \(place)",
        ]
    }

    private func removing(_ old: SceneObject) -> [String] {
        [
            "remove the \(old.name)", "remove \(located(old))", "take the \(old.name) away", "erase \(located(old))",
            "delete the \(old.name)", "make the \(old.name) disappear",
        ]
    }

    private func swapping(_ old: SceneObject, _ new: SceneObject) -> [String] {
        let thing = withArticle(new.name)
        return [
            "replace the \(old.name) with \(thing)", "swap the \(old.name) for \(thing)",
            "turn \(located(old)) into \(thing)", "exchange the \(old.name) for \(thing)",
            "put \(thing) where the \(old.name) is",
        ]
    }

    private func recoloring(_ old: SceneObject, _ color: String) -> [String] {
        [
            "make the \(old.name) \(color)", "change the color of the \(old.name) to \(color)",
            "paint the \(old.name) \(color)", "recolor \(located(old)) in \(color)", "color \(located(old)) \(color)",
        ]
    }

    private func resizing(_ old: SceneObject, _ new: SceneObject) -> [String] {
        let size = new.size == .medium ? "medium-sized" : new.size.rawValue
        let verb = new.size.side(level: level) > old.size.side(level: level) ? "enlarge" : "shrink"
        return [
            "make the \(old.name) \(size)", "\(verb) the \(old.name) until it is \(size)",
            "make \(located(old)) \(size)", "change the size of the \(old.name) to \(new.size.rawValue)",
            "\(verb) \(located(old)) to a \(new.size.rawValue) size",
        ]
    }

    private func moving(_ old: SceneObject, _ new: SceneObject) -> [String] {
        let place = new.place(level: level)
        return [
            "move the \(old.name) to the \(place.name)",
            "move the \(old.name) from the \(old.place(level: level).name) to the \(place.name)",
            "shift the \(old.name) to the \(place.name)", "put the \(old.name) \(place.phrase) instead",
            "bring \(located(old)) to the \(place.name)",
        ]
    }

    private var settings: [String] {
        let noun = target.background.noun(photo: target.photo)
        return [
            "change the background to \(noun)", "replace the background with \(noun)",
            "make \(noun) the background", "swap the background for \(noun)", "show \(noun) behind everything",
        ]
    }

    private var weathers: [String] {
        switch target.weather {
        case .sunset:
            [
                "make it sunset", "change the time of day to sunset", "let the sun set",
                "show the scene in the light of the setting sun",
            ]
        case .rain: ["make it rain", "let it rain", "change the weather to rain", "turn it into a rainy day"]
        case .snow: ["make it snow", "let it snow", "change the weather to snow", "turn it into a snowy day"]
        case .fog: ["make it foggy", "wrap everything in fog", "change the weather to fog", "let fog come up"]
        case .clear:
            switch source.weather {
            case .sunset: ["make it broad daylight", "change the time of day from sunset to noon", "undo the sunset"]
            case .rain: ["stop the rain", "make the rain disappear", "change the weather from rain to clear"]
            case .snow: ["stop the snow", "make the snow disappear", "change the weather from snow to clear"]
            default: ["lift the fog", "make the fog disappear", "change the weather from fog to clear"]
            }
        }
    }

    private var styles: [String] {
        switch target.style {
        case .illustration:
            [
                "turn it into a shaded illustration", "make it look like a smooth illustration",
                "redraw it as an illustration with soft shading", "change the style to illustration",
            ]
        case .cartoon:
            [
                "turn it into a cartoon", "make it look like a cartoon", "redraw it with bold black outlines",
                "change the style to cartoon",
            ]
        case .pastel:
            [
                "turn it into a pastel painting", "make it look like a pastel painting", "redraw it in soft pastels",
                "change the style to pastel",
            ]
        case .pencil:
            [
                "turn it into a pencil drawing", "make it look like a colored pencil drawing",
                "redraw it with colored pencils", "change the style to pencil",
            ]
        }
    }

    private var tones: [String] {
        switch target.tone {
        case .neutral: ["make the tones neutral", "remove the color cast", "restore the natural tones"]
        case .warm: ["make the picture warmer", "give it warm tones", "shift the colors to warm ones"]
        case .cool: ["make the picture cooler", "give it cool tones", "shift the colors to cool ones"]
        case .blackAndWhite: ["make it black and white", "remove all color", "turn it into a gray picture"]
        case .sepia: ["make it sepia", "give it a sepia tone", "make it look like an old brown photograph"]
        case .bright: ["make the picture much brighter", "overexpose the picture", "brighten everything"]
        case .dark: ["make the picture much darker", "underexpose the picture", "darken everything"]
        }
    }
}
