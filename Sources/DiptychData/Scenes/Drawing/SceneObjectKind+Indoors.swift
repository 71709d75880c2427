/// Things that stand or lie.
extension SceneObjectKind {
    static func flower() -> [ScenePart] {
        let center = VectorPath.Point(0, -0.18)
        let stem = VectorPath.line(VectorPath.chain([0, -0.1], [([0, 0.1], [0.04, 0.3], [0, 0.49])]), width: 0.06)
        var petals = VectorPath()
        for i in 0..<6 {
            let angle = Float(i) / 6
            petals = petals.with(
                .ellipse(center + 0.19 * turned(angle), [0.13, 0.1], tilt: angle))
        }
        return [
            ScenePart(stem, .fixed(ScenePart.leaf)),
            ScenePart(.ellipse([0.14, 0.3], [0.15, 0.06], tilt: -0.08), .fixed(ScenePart.leaf)),
            ScenePart(.ellipse([-0.12, 0.36], [0.13, 0.055], tilt: 0.08), .fixed(ScenePart.leaf)),
            ScenePart(petals, .body), ScenePart(.disc(center, 0.13), .fixed(.init(rgb: 96, 58, 34)), outlined: false),
            ScenePart(.disc(center, 0.085), .fixed(.init(rgb: 240, 196, 70)), outlined: false),
        ]
    }

    /// The direction at an angle in turns, clockwise from the right.
    private static func turned(_ turns: Float) -> VectorPath.Point {
        VectorPath.ellipse(.zero, [1, 1], from: turns, to: turns + 0.5).contours[0][0]
    }

    static func umbrella() -> [ScenePart] {
        let handle = VectorPath.line(
            VectorPath.chain(
                [0, -0.42],
                [
                    ([0, -0.1], [0, 0.1], [0, 0.36]), ([0, 0.51], [0.2, 0.51], [0.2, 0.36]),
                ]), width: 0.055)
        let canopy = VectorPath.curves(
            [-0.49, 0.04],
            [
                ([-0.47, -0.26], [-0.24, -0.44], [0, -0.44]), ([0.24, -0.44], [0.47, -0.26], [0.49, 0.04]),
                ([0.43, -0.05], [0.22, -0.05], [0.17, 0.04]), ([0.11, -0.05], [-0.11, -0.05], [-0.17, 0.04]),
                ([-0.22, -0.05], [-0.43, -0.05], [-0.49, 0.04]),
            ])
        let panel = VectorPath.curves(
            [-0.17, 0.04],
            [
                ([-0.16, -0.16], [-0.1, -0.38], [0, -0.44]), ([0.1, -0.38], [0.16, -0.16], [0.17, 0.04]),
                ([0.11, -0.05], [-0.11, -0.05], [-0.17, 0.04]),
            ])
        return [
            ScenePart(handle, .fixed(ScenePart.wood)), ScenePart(.box([-0.02, -0.5], [0.02, -0.4]), .dark),
            ScenePart(canopy, .body), ScenePart(panel, .light, outlined: false),
        ]
    }

    static func mushroom() -> [ScenePart] {
        let stem = VectorPath.curves(
            [-0.13, -0.04],
            [
                ([-0.1, 0.16], [-0.12, 0.3], [-0.18, 0.44]), ([-0.08, 0.5], [0.08, 0.5], [0.18, 0.44]),
                ([0.12, 0.3], [0.1, 0.16], [0.13, -0.04]), ([0.05, -0.04], [-0.05, -0.04], [-0.13, -0.04]),
            ])
        let cap = VectorPath.curves(
            [-0.49, 0.04],
            [
                ([-0.49, -0.28], [-0.26, -0.47], [0, -0.47]), ([0.26, -0.47], [0.49, -0.28], [0.49, 0.04]),
                ([0.26, 0.12], [-0.26, 0.12], [-0.49, 0.04]),
            ])
        let dots = VectorPath.ellipse([-0.02, -0.27], [0.1, 0.085]).with(.ellipse([-0.27, -0.1], [0.075, 0.085]))
            .with(.ellipse([0.25, -0.12], [0.085, 0.09])).with(.ellipse([0.02, -0.02], [0.07, 0.05]))
        return [
            ScenePart(stem, .fixed(ScenePart.cream)), ScenePart(cap, .body),
            ScenePart(dots, .fixed([1, 1, 1, 1]), outlined: false),
        ]
    }

    static func cup() -> [ScenePart] {
        let handle = VectorPath.ellipse([0.28, 0.08], [0.2, 0.2]).without(.ellipse([0.28, 0.08], [0.11, 0.12]))
        let wall = VectorPath.curves(
            [-0.42, -0.2],
            [
                ([-0.42, 0.1], [-0.4, 0.3], [-0.3, 0.42]), ([-0.16, 0.48], [0.08, 0.48], [0.2, 0.42]),
                ([0.3, 0.3], [0.32, 0.1], [0.32, -0.2]), ([0.1, -0.2], [-0.1, -0.2], [-0.42, -0.2]),
            ])
        func steam(_ x: Float) -> ScenePart {
            ScenePart(
                .line(
                    VectorPath.chain([x, -0.3], [([x - 0.08, -0.36], [x + 0.08, -0.42], [x, -0.48])]), width: 0.035),
                .veil([1, 1, 1, 0.7]))
        }
        return [
            ScenePart(handle, .dark), ScenePart(wall, .body),
            ScenePart(.ellipse([-0.05, -0.2], [0.37, 0.09]), .light),
            ScenePart(.ellipse([-0.05, -0.19], [0.3, 0.06]), .fixed(.init(rgb: 92, 54, 34)), outlined: false),
            ScenePart(.box([-0.4, 0.08], [0.31, 0.16]), .light, outlined: false), steam(-0.16), steam(0.06),
        ]
    }

    /// The frame alone: the photograph is laid into it.
    static func picture() -> [ScenePart] { [ScenePart(.box([-0.48, -0.48], [0.48, 0.48]), .body)] }
}
