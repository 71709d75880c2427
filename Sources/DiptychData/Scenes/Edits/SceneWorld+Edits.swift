import TensorCore

extension SceneWorld {
    /// An edit of a kind; nil when the draw broke a rule, which a few further draws mend.
    func edit(_ task: SceneTask, _ random: inout Random) -> SceneEdit? {
        let least = task == .remove ? 2 : 1
        let most = task == .add ? maximumCount - 1 : maximumCount
        guard var source = scene(count: least + random.integer(below: most - least + 1), &random) else { return nil }
        var target = source
        var chosen: Int? = task.isLocal ? random.integer(below: source.objects.count) : nil
        let old = chosen.map { source.objects[$0] }
        switch task {
        case .add:
            target.objects.append(object(size: level == 1 ? .medium : random.element(of: sizes), &random))
            chosen = target.objects.count - 1
        case .remove: target.objects.remove(at: chosen!)
        case .swap:
            guard let old else { return nil }
            var new = object(size: old.size, &random)
            if random.integer(below: 2) == 0 { new.color = old.color }
            if new.kind == old.kind { return nil }
            (new.x, new.y) = (old.x, old.y)
            target.objects[chosen!] = new
        case .recolor:
            guard let old, old.kind != .picture else { return nil }
            let color = random.element(of: colors)
            // White, say, told from yellow under a warm light: neighbours would ask too much of the eye.
            guard color != old.color, color.value.distance(to: old.color.value) > 0.3 else { return nil }
            target.objects[chosen!].color = color
        case .resize:
            let sizes = sizes
            let (a, b) = (random.element(of: sizes), random.element(of: sizes))
            guard a != b, var new = old else { return nil }
            let place = new.place(level: level)
            new.size = a
            put(&new, at: place, &random)
            source.objects[chosen!] = new
            new.size = b
            // It stays as far beside the middle of its place as it was; near the edge that middle depends on the size.
            let (from, to) = (place.center(side: a.side(level: level)), place.center(side: b.side(level: level)))
            let side = b.side(level: level)
            new.x = min(max(new.x + to.x - from.x, side / 2), 1024 - side / 2)
            new.y = min(max(new.y + to.y - from.y, side / 2), 1024 - side / 2)
            target.objects[chosen!] = new
        case .move:
            guard var new = old else { return nil }
            put(&new, at: random.element(of: places), &random)
            if new.place(level: level) == old?.place(level: level) { return nil }
            target.objects[chosen!] = new
        case .background:
            // Fog would hide what has changed.
            if source.weather == .fog { return nil }
            if level == 3 {
                target.photo = random.element(of: photos.names)
                target.crop = 0
                if target.photo == source.photo { return nil }
            } else {
                target.background = random.element(of: level == 1 ? SceneBackground.simple : SceneBackground.drawn)
                if target.background == source.background { return nil }
                if !weathers(target.background).contains(target.weather) { return nil }
            }
        case .weather:
            let weathers = weathers(source.background).filter { $0 != .clear }
            guard !weathers.isEmpty else { return nil }
            // The weather comes or goes; from rain to snow it has far.
            let isComing = random.integer(below: 2) == 0
            source.weather = isComing ? .clear : random.element(of: weathers)
            target.weather = isComing ? random.element(of: weathers) : .clear
        case .style:
            if level == 1 {
                let isComing = random.integer(below: 2) == 0
                let styles = SceneStyle.allCases.filter { $0 != .illustration }
                source.style = isComing ? .illustration : random.element(of: styles)
                target.style = isComing ? random.element(of: styles) : .illustration
            } else {
                target.style = random.element(of: SceneStyle.allCases)
                if target.style == source.style { return nil }
            }
        case .tone: target.tone = random.element(of: SceneTone.allCases.filter { $0 != .neutral })
        }
        guard keepsRules(source), keepsRules(target) else { return nil }
        return SceneEdit(task, from: source, to: target, object: chosen)
    }
}
