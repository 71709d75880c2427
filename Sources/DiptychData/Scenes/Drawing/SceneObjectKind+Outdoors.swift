/// Things that fly, float and swim.
extension SceneObjectKind {
    static func balloon() -> [ScenePart] {
        let string = VectorPath.line(
            VectorPath.chain([0, 0.22], [([0.06, 0.3], [-0.06, 0.38], [0.01, 0.49])]), width: 0.025)
        let whole = VectorPath.curves(
            [0, 0.2],
            [
                ([-0.16, 0.12], [-0.33, -0.02], [-0.33, -0.2]), ([-0.33, -0.37], [-0.18, -0.49], [0, -0.49]),
                ([0.18, -0.49], [0.33, -0.37], [0.33, -0.2]), ([0.33, -0.02], [0.16, 0.12], [0, 0.2]),
            ])
        return [
            ScenePart(string, .fixed(ScenePart.steel), outlined: false),
            ScenePart(.polygon([[0, 0.17], [0.06, 0.26], [-0.06, 0.26]]), .dark), ScenePart(whole, .body),
            ScenePart(.ellipse([-0.13, -0.3], [0.06, 0.1], tilt: 0.08), .veil(ScenePart.gleam)),
        ]
    }

    static func boat() -> [ScenePart] {
        [
            ScenePart(.box([-0.03, -0.47], [0.02, 0.2]), .fixed(ScenePart.wood)),
            ScenePart(.polygon([[0.05, -0.44], [0.42, 0.12], [0.05, 0.12]]), .body),
            ScenePart(.polygon([[-0.06, -0.34], [-0.06, 0.12], [-0.36, 0.12]]), .light),
            ScenePart(
                .curves(
                    [-0.5, 0.18],
                    [
                        ([-0.2, 0.2], [0.2, 0.2], [0.5, 0.18]), ([0.46, 0.32], [0.38, 0.44], [0.28, 0.44]),
                        ([0.1, 0.44], [-0.1, 0.44], [-0.28, 0.44]), ([-0.38, 0.44], [-0.46, 0.32], [-0.5, 0.18]),
                    ]), .dark),
            ScenePart(.box([-0.44, 0.25], [0.44, 0.29]), .veil([1, 1, 1, 0.55])),
        ]
    }

    static func fish() -> [ScenePart] {
        let tail = VectorPath.curves(
            [0.2, 0],
            [
                ([0.3, -0.06], [0.4, -0.2], [0.49, -0.24]), ([0.42, -0.06], [0.42, 0.06], [0.49, 0.24]),
                ([0.4, 0.2], [0.3, 0.06], [0.2, 0]),
            ])
        let body = VectorPath.curves(
            [-0.49, 0.02],
            [([-0.34, -0.3], [0.08, -0.38], [0.3, 0]), ([0.08, 0.38], [-0.34, 0.32], [-0.49, 0.02])])
        return [
            ScenePart(tail, .dark),
            ScenePart(.polygon([[-0.2, -0.2], [0.06, -0.38], [0.1, -0.16]]), .dark),
            ScenePart(.polygon([[-0.12, 0.2], [0.08, 0.36], [0.08, 0.16]]), .dark), ScenePart(body, .body),
            ScenePart(
                .ellipse([-0.02, 0.02], [0.05, 0.2], from: -0.25, to: 0.25), .light, outlined: false),
            ScenePart(
                .ellipse([0.1, 0.02], [0.04, 0.15], from: -0.25, to: 0.25), .light, outlined: false),
            ScenePart(.disc([-0.29, -0.05], 0.07), .fixed([1, 1, 1, 1]), outlined: false),
            ScenePart(.disc([-0.3, -0.05], 0.038), .fixed(ScenePart.ink), outlined: false),
        ]
    }

    static func kite() -> [ScenePart] {
        let tail = VectorPath.line(
            VectorPath.chain(
                [0, 0.18],
                [([0.1, 0.28], [-0.14, 0.34], [-0.02, 0.42]), ([0.03, 0.45], [0.1, 0.46], [0.16, 0.48])]),
            width: 0.035)
        func bow(_ x: Float, _ y: Float) -> VectorPath {
            VectorPath.polygon([[x, y], [x - 0.1, y - 0.055], [x - 0.1, y + 0.055]])
                .with(.polygon([[x, y], [x + 0.1, y - 0.055], [x + 0.1, y + 0.055]]))
        }
        return [
            ScenePart(tail, .fixed(ScenePart.steel), outlined: false),
            ScenePart(bow(-0.01, 0.31), .dark), ScenePart(bow(0.05, 0.44), .dark),
            ScenePart(.polygon([[0, -0.49], [0.34, -0.16], [0, 0.22], [-0.34, -0.16]]), .body),
            ScenePart(.polygon([[0, -0.49], [0.34, -0.16], [0, -0.16]]), .light, outlined: false),
            ScenePart(.polygon([[0, -0.16], [0, 0.22], [-0.34, -0.16]]), .light, outlined: false),
            ScenePart(.box([-0.012, -0.49], [0.012, 0.22]), .dark, outlined: false),
            ScenePart(.box([-0.34, -0.172], [0.34, -0.148]), .dark, outlined: false),
        ]
    }

    static func rocket() -> [ScenePart] {
        let hull = VectorPath.curves(
            [0, -0.5],
            [
                ([0.12, -0.4], [0.19, -0.24], [0.19, -0.04]), ([0.19, 0.1], [0.16, 0.22], [0.13, 0.28]),
                ([0.05, 0.28], [-0.05, 0.28], [-0.13, 0.28]), ([-0.16, 0.22], [-0.19, 0.1], [-0.19, -0.04]),
                ([-0.19, -0.24], [-0.12, -0.4], [0, -0.5]),
            ])
        let fins = VectorPath.polygon([[-0.15, 0.02], [-0.15, 0.26], [-0.36, 0.38], [-0.34, 0.16]])
            .with(.polygon([[0.15, 0.02], [0.34, 0.16], [0.36, 0.38], [0.15, 0.26]]))
        return [
            ScenePart(
                .polygon([[-0.1, 0.28], [0.1, 0.28], [0.05, 0.4], [0, 0.5], [-0.05, 0.4]]),
                .fixed(.init(rgb: 255, 150, 40)), outlined: false),
            ScenePart(
                .polygon([[-0.05, 0.28], [0.05, 0.28], [0, 0.4]]), .fixed(.init(rgb: 255, 226, 110)), outlined: false),
            ScenePart(fins, .dark), ScenePart(hull, .body),
            ScenePart(.disc([0, -0.12], 0.095), .fixed(ScenePart.steel), outlined: false),
            ScenePart(.disc([0, -0.12], 0.065), .fixed(ScenePart.glass), outlined: false),
            ScenePart(.box([-0.17, 0.13], [0.17, 0.18]), .light, outlined: false),
        ]
    }

    static func butterfly() -> [ScenePart] {
        func wings(_ side: Float) -> [ScenePart] {
            [
                ScenePart(.ellipse([side * 0.26, -0.16], [0.26, 0.19], tilt: side * -0.11), .body),
                ScenePart(.ellipse([side * 0.2, 0.2], [0.2, 0.15], tilt: side * 0.12), .body),
                ScenePart(
                    .ellipse([side * 0.29, -0.18], [0.12, 0.08], tilt: side * -0.11), .light, outlined: false),
                ScenePart(.disc([side * 0.22, 0.22], 0.065), .light, outlined: false),
            ]
        }
        func feeler(_ side: Float) -> ScenePart {
            ScenePart(
                .line(
                    VectorPath.chain(
                        [0, -0.24], [([side * 0.03, -0.36], [side * 0.08, -0.42], [side * 0.15, -0.45])]),
                    width: 0.03), .fixed(ScenePart.ink), outlined: false)
        }
        return wings(-1) + wings(1) + [
            feeler(-1), feeler(1), ScenePart(.ellipse([0, 0.02], [0.05, 0.3]), .fixed(ScenePart.ink)),
        ]
    }
}
