extension SceneEdit {
    /// Results, with these photographs at hand, that a good one must be nearer to the target than to: the source, and the target with one thing wrong.
    func alternatives(to target: Scene, photos: [String]) -> [Scene] {
        var scenes = [source]
        switch task {
        case .remove:
            // It is still there, though changed.
            let old = source.objects[object!]
            for other in Self.variants(of: old, in: source) { scenes.append(source.replacing(object!, with: other)) }
        case .add, .swap, .recolor, .resize, .move:
            let new = target.objects[object!]
            for other in Self.variants(of: new, in: target) { scenes.append(target.replacing(object!, with: other)) }
            scenes.append(target.removing(object!))
            if task == .move {
                // It stands at both places.
                var both = target
                both.objects.insert(source.objects[object!], at: object!)
                scenes.append(both)
            }
        case .background:
            if level == 3 {
                for other in photos where other != target.photo { scenes.append(target.with { $0.photo = other }) }
            } else {
                for other in SceneBackground.drawn where other != target.background {
                    scenes.append(target.with { $0.background = other })
                }
            }
        case .weather:
            for other in target.background.weathers where other != target.weather {
                scenes.append(target.with { $0.weather = other })
            }
        case .style:
            for other in SceneStyle.allCases where other != target.style {
                scenes.append(target.with { $0.style = other })
            }
        case .tone:
            for other in SceneTone.allCases where other != target.tone {
                scenes.append(target.with { $0.tone = other })
            }
        }
        if !task.isLocal {
            // The objects must come through: none gone, none changed.
            for (i, object) in target.objects.enumerated() {
                scenes.append(target.removing(i))
                for other in Self.variants(of: object, in: target) { scenes.append(target.replacing(i, with: other)) }
            }
        }
        return scenes
    }

    private var level: Int { source.level }

    /// The object in every other colour, and every other object in its colour and in its place.
    private static func variants(of object: SceneObject, in scene: Scene) -> [SceneObject] {
        if object.kind == .picture { return [] }
        let isSimple = scene.level == 1
        // In a grey picture two colours may be one.
        let colors = (isSimple ? SceneColor.simple : SceneColor.allCases).filter { color in
            let (a, b) = (scene.tone.applied(to: color.value), scene.tone.applied(to: object.color.value))
            return a.distance(to: b) > 0.2
        }
        let kinds = (isSimple ? SceneObjectKind.simple : SceneObjectKind.drawn).filter { $0 != object.kind }
        return colors.map { object.with(color: $0) } + kinds.map { object.with(kind: $0) }
            + SceneSize.allCases.filter { $0 != object.size && !(isSimple && $0 == .small) }
            .map { object.with(size: $0) }
    }
}

extension Scene {
    func with(_ change: (inout Scene) -> Void) -> Scene {
        var scene = self
        change(&scene)
        return scene
    }

    func replacing(_ index: Int, with object: SceneObject) -> Scene { with { $0.objects[index] = object } }

    func removing(_ index: Int) -> Scene { with { $0.objects.remove(at: index) } }
}

extension SceneObject {
    func with(kind: SceneObjectKind? = nil, color: SceneColor? = nil, size: SceneSize? = nil) -> SceneObject {
        var object = self
        object.kind = kind ?? self.kind
        object.color = color ?? self.color
        object.size = size ?? self.size
        return object
    }
}
