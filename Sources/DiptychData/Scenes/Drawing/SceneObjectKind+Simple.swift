/// The drawings of level 1.
extension SceneObjectKind {
    static func ball() -> [ScenePart] {
        let whole = VectorPath.disc([0, 0], 0.47)
        // A band round the ball: what lies between two arcs that meet the rim.
        let band = VectorPath.curves(
            [-0.435, -0.17],
            [
                ([-0.2, 0.06], [0.2, 0.06], [0.435, -0.17]), ([0.465, -0.06], [0.475, 0.03], [0.455, 0.1]),
                ([0.2, 0.32], [-0.2, 0.32], [-0.455, 0.1]), ([-0.475, 0.03], [-0.465, -0.06], [-0.435, -0.17]),
            ])
        return [
            ScenePart(whole, .body), ScenePart(band, .light, outlined: false),
            ScenePart(.ellipse([-0.16, -0.27], [0.12, 0.07], tilt: -0.08), .veil(ScenePart.gleam)),
        ]
    }

    static func star() -> [ScenePart] {
        let center = VectorPath.Point(0, 0.04)
        let whole = VectorPath.star(center, outer: 0.5, inner: 0.21, tips: 5)
        // One side of each ray lies in the shade.
        var shade = VectorPath()
        let rim = VectorPath.star(center, outer: 0.5, inner: 0.21, tips: 5).contours[0]
        for tip in 0..<5 {
            shade = shade.with(.polygon([center, rim[2 * tip], rim[2 * tip + 1]]))
        }
        return [ScenePart(whole, .body), ScenePart(shade, .veil([0, 0, 0, 0.14]))]
    }

    static func heart() -> [ScenePart] {
        let whole = VectorPath.curves(
            [0, 0.46],
            [
                ([-0.3, 0.24], [-0.5, 0.06], [-0.5, -0.16]), ([-0.5, -0.36], [-0.36, -0.45], [-0.24, -0.45]),
                ([-0.12, -0.45], [-0.03, -0.38], [0, -0.27]), ([0.03, -0.38], [0.12, -0.45], [0.24, -0.45]),
                ([0.36, -0.45], [0.5, -0.36], [0.5, -0.16]), ([0.5, 0.06], [0.3, 0.24], [0, 0.46]),
            ])
        return [
            ScenePart(whole, .body),
            ScenePart(.ellipse([-0.27, -0.24], [0.11, 0.075], tilt: -0.12), .veil(ScenePart.gleam)),
        ]
    }

    static func house() -> [ScenePart] {
        let roof = VectorPath.polygon([[0, -0.48], [0.5, -0.06], [-0.5, -0.06]])
        return [
            ScenePart(.box([0.2, -0.42], [0.32, -0.12]), .fixed(.init(rgb: 150, 92, 78))),
            ScenePart(.box([-0.38, -0.1], [0.38, 0.47]), .body),
            ScenePart(roof, .dark),
            ScenePart(.box([0.05, 0.12], [0.25, 0.47]), .fixed(ScenePart.wood), outlined: false),
            ScenePart(.box([-0.27, 0.08], [-0.06, 0.28]), .fixed(.init(rgb: 255, 244, 190)), outlined: false),
            ScenePart(.box([-0.18, 0.08], [-0.15, 0.28]), .fixed(ScenePart.wood), outlined: false),
            ScenePart(.box([-0.27, 0.165], [-0.06, 0.195]), .fixed(ScenePart.wood), outlined: false),
        ]
    }

    static func tree() -> [ScenePart] {
        let crown = VectorPath.disc([0, -0.22], 0.27).with(.disc([-0.21, -0.03], 0.23)).with(
            .disc([0.21, -0.03], 0.23)
        )
        .with(.disc([0, 0.04], 0.2))
        let glints = VectorPath.disc([-0.08, -0.3], 0.1).with(.disc([-0.26, -0.08], 0.075))
            .with(.disc([0.17, -0.1], 0.085))
        return [
            ScenePart(
                .polygon([
                    [-0.07, 0.05], [0.07, 0.05], [0.085, 0.42], [0.14, 0.48], [-0.14, 0.48], [-0.085, 0.42],
                ]),
                .fixed(ScenePart.wood)),
            ScenePart(crown, .body), ScenePart(glints, .light, outlined: false),
        ]
    }

    static func car() -> [ScenePart] {
        let cabin = VectorPath.curves(
            [-0.3, 0.02],
            [
                ([-0.26, -0.14], [-0.22, -0.28], [-0.12, -0.28]), ([-0.02, -0.28], [0.04, -0.28], [0.1, -0.28]),
                ([0.2, -0.28], [0.24, -0.14], [0.32, 0.02]), ([0.2, 0.02], [-0.2, 0.02], [-0.3, 0.02]),
            ])
        func wheel(_ x: Float) -> [ScenePart] {
            [
                ScenePart(.disc([x, 0.23], 0.125), .fixed(ScenePart.ink)),
                ScenePart(.disc([x, 0.23], 0.055), .fixed(.init(rgb: 205, 208, 214)), outlined: false),
            ]
        }
        return [
            ScenePart(cabin, .body), ScenePart(.box([-0.49, -0.03], [0.49, 0.24], corner: 0.1), .body),
            ScenePart(
                .polygon([[-0.2, -0.03], [-0.13, -0.2], [-0.02, -0.2], [-0.02, -0.03]]), .fixed(ScenePart.glass),
                outlined: false),
            ScenePart(
                .polygon([[0.04, -0.03], [0.04, -0.2], [0.11, -0.2], [0.21, -0.03]]), .fixed(ScenePart.glass),
                outlined: false),
            ScenePart(.disc([0.43, 0.06], 0.045), .fixed(.init(rgb: 255, 244, 190)), outlined: false),
            ScenePart(.box([-0.49, 0.12], [0.49, 0.16]), .veil([0, 0, 0, 0.2])),
        ] + wheel(-0.26) + wheel(0.26)
    }
}
