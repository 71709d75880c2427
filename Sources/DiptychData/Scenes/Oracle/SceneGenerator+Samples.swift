import TensorCore
import TensorIO

extension SceneGenerator {
    /// A picture to show the oracle; nil where the edit has none of the kind.
    func picture(_ sample: SceneOracleCheck.Sample, of edit: SceneEdit, _ random: inout Random) throws -> Image? {
        switch sample {
        case .target: return renderer.image(of: edit.target)
        case .noise:
            let target = renderer.image(of: edit.target)
            let noise = random.randn([target.pixels.count]).floats
            return Image(
                width: target.width, height: target.height,
                pixels: zip(target.pixels, noise).map { UInt8(min(max(Float($0) + 4 * $1 + 0.5, 0), 255)) })
        case .jpeg:
            let bytes = try renderer.image(of: edit.target).encoded(as: .jpeg(quality: 90))
            return try bytes.withUnsafeBytes { try Image(decoding: $0, name: "target.jpg") }
        case .unedited: return renderer.image(of: edit.source)
        case .value: return wrongValue(of: edit, &random).map(renderer.image(of:))
        case .object: return wrongObject(of: edit, &random).map(renderer.image(of:))
        case .place: return wrongPlace(of: edit, &random).map(renderer.image(of:))
        case .damage: return damaged(edit, &random)
        }
    }

    private var colors: [SceneColor] { options.level == 1 ? SceneColor.simple : SceneColor.allCases }
    private var kinds: [SceneObjectKind] { options.level == 1 ? SceneObjectKind.simple : SceneObjectKind.drawn }

    /// A colour that anyone tells from this one in this scene.
    private func other(_ color: SceneColor, in scene: Scene, _ random: inout Random) -> SceneColor? {
        let others = colors.filter { other in
            let (a, b) = (scene.tone.applied(to: other.value), scene.tone.applied(to: color.value))
            return a.distance(to: b) > 0.3
        }
        return others.isEmpty ? nil : random.element(of: others)
    }

    private func wrongValue(of edit: SceneEdit, _ random: inout Random) -> Scene? {
        let target = edit.target
        switch edit.task {
        case .remove:
            // Changed instead of removed.
            guard let old = edit.before, old.kind != .picture,
                let color = other(old.color, in: edit.source, &random)
            else { return nil }
            return edit.source.replacing(edit.object!, with: old.with(color: color))
        case .resize:
            let others = SceneSize.allCases.filter { size in
                size != edit.before?.size && size != edit.after?.size && !(options.level == 1 && size == .small)
            }
            return others.first.map { target.replacing(edit.object!, with: edit.after!.with(size: $0)) }
        case .add, .swap, .recolor, .move:
            guard let new = edit.after, new.kind != .picture, let color = other(new.color, in: target, &random) else {
                return nil
            }
            return target.replacing(edit.object!, with: new.with(color: color))
        case .background:
            if options.level == 3 {
                let names = renderer.photos.names.filter { $0 != target.photo && $0 != edit.source.photo }
                return names.isEmpty ? nil : target.with { $0.photo = random.element(of: names) }
            }
            let all = options.level == 1 ? SceneBackground.simple : SceneBackground.drawn
            let others = all.filter { $0 != target.background && $0 != edit.source.background }
            return target.with { $0.background = random.element(of: others) }
        case .weather:
            let others = target.background.weathers.filter { $0 != target.weather && $0 != edit.source.weather }
            return others.isEmpty ? nil : target.with { $0.weather = random.element(of: others) }
        case .style:
            let others = SceneStyle.allCases.filter { $0 != target.style && $0 != edit.source.style }
            return target.with { $0.style = random.element(of: others) }
        case .tone:
            let others = SceneTone.allCases.filter { $0 != target.tone && $0 != .neutral }
            return target.with { $0.tone = random.element(of: others) }
        }
    }

    private func wrongObject(of edit: SceneEdit, _ random: inout Random) -> Scene? {
        let index = edit.object ?? random.integer(below: edit.target.objects.count)
        if edit.task == .remove {
            // Another one is gone.
            let others = edit.source.objects.indices.filter { $0 != index }
            return edit.source.removing(random.element(of: others))
        }
        let object = edit.target.objects[index]
        let others = kinds.filter { $0 != object.kind && $0 != edit.before?.kind }
        return edit.target.replacing(index, with: object.with(kind: random.element(of: others)))
    }

    private func wrongPlace(of edit: SceneEdit, _ random: inout Random) -> Scene? {
        guard let new = edit.after else { return nil }
        let right = new.place(level: options.level)
        let before = edit.before?.place(level: options.level)
        let others = ScenePlace.all(level: options.level).filter { $0 != right && (edit.task == .swap || $0 != before) }
        let center = random.element(of: others).center(side: new.size.side(level: options.level))
        var object = new
        (object.x, object.y) = center
        return edit.target.replacing(edit.object!, with: object)
    }

    /// The target with a spot, as large as a sixth of a panel's side, where the edit has nothing to do.
    private func damaged(_ edit: SceneEdit, _ random: inout Random) -> Image? {
        let target = renderer.canvas(of: edit.target)
        let mask = SceneRenderer.mask(renderer.image(of: edit.source), target.image)
        let (size, radius) = (renderer.size, max(3, renderer.size / 12))
        for _ in 0..<400 {
            let x = radius + random.integer(below: size - 2 * radius)
            let y = radius + random.integer(below: size - 2 * radius)
            let corners = [(-1, -1), (1, -1), (-1, 1), (1, 1), (0, 0)]
            let isFree =
                !edit.task.isLocal
                || corners.allSatisfy { mask[x + $0.0 * (radius - 1), y + $0.1 * (radius - 1)] == [0, 0, 0] }
            let color = edit.target.tone.applied(to: random.element(of: colors).value)
            let shows = corners.allSatisfy {
                let there = target.pixels[(y + $0.1 * (radius - 1)) * size + x + $0.0 * (radius - 1)]
                return color.distance(to: there) > 0.4
            }
            guard isFree, shows else { continue }
            var damaged = target
            damaged.fill(.disc([Float(x), Float(y)], Float(radius)), .flat(color.opacity(1)))
            return damaged.image
        }
        return nil
    }
}
