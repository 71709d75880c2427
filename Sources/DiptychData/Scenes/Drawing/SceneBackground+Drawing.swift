/// The drawn backgrounds, in units of the panel's side: pale, so that things stand out, but for the night.
extension SceneBackground {
    /// Paints the whole of a canvas.
    func draw(on canvas: inout Canvas) {
        switch self {
        case .sky: Self.sky(&canvas)
        case .meadow: Self.meadow(&canvas)
        case .room: Self.room(&canvas)
        case .night: Self.night(&canvas)
        case .sea: Self.sea(&canvas)
        case .city: Self.city(&canvas)
        case .photo: preconditionFailure("a photograph is laid, not drawn")
        }
    }

    private static func paint(_ canvas: inout Canvas, _ path: VectorPath, _ paint: Paint) {
        canvas.fill(path, scale: Float(max(canvas.width, canvas.height)), paint)
    }

    private static func gradient(
        _ canvas: inout Canvas, _ top: SIMD4<Float>, _ bottom: SIMD4<Float>, from: Float = 0, to: Float = 1
    ) {
        paint(&canvas, .box([-0.1, from], [1.1, to]), .linear(from: [0, from], top, to: [0, to], bottom))
    }

    private static func cloud(_ x: Float, _ y: Float, _ size: Float) -> VectorPath {
        VectorPath.disc([x, y], 0.5 * size).with(.disc([x - 0.55 * size, y + 0.15 * size], 0.34 * size))
            .with(.disc([x + 0.55 * size, y + 0.12 * size], 0.38 * size))
            .with(.box([x - 0.8 * size, y + 0.1 * size], [x + 0.85 * size, y + 0.5 * size], corner: 0.2 * size))
    }

    private static func sky(_ canvas: inout Canvas) {
        gradient(&canvas, .init(rgb: 142, 198, 240), .init(rgb: 220, 239, 251))
        let white = Paint.flat([1, 1, 1, 0.8])
        paint(&canvas, cloud(0.22, 0.2, 0.15), white)
        paint(&canvas, cloud(0.72, 0.38, 0.18), white)
        paint(&canvas, cloud(0.34, 0.74, 0.2), white)
        paint(&canvas, cloud(0.86, 0.86, 0.13), white)
    }

    private static func meadow(_ canvas: inout Canvas) {
        gradient(&canvas, .init(rgb: 178, 218, 246), .init(rgb: 228, 242, 250), to: 0.5)
        paint(
            &canvas, .ellipse([0.2, 0.78], [0.62, 0.4]), .flat(.init(rgb: 190, 222, 160)))
        paint(
            &canvas, .ellipse([0.88, 0.86], [0.6, 0.42]), .flat(.init(rgb: 176, 214, 142)))
        paint(
            &canvas, .polygon([[-0.1, 0.66], [0.5, 0.6], [1.1, 0.66], [1.1, 1.1], [-0.1, 1.1]]),
            .linear(from: [0, 0.6], .init(rgb: 168, 212, 128), to: [0, 1], .init(rgb: 140, 192, 102)))
        let places: [VectorPath.Point] = [
            [0.08, 0.74], [0.3, 0.7], [0.47, 0.86], [0.62, 0.73], [0.9, 0.78], [0.16, 0.93], [0.77, 0.93],
            [0.35, 0.97],
        ]
        for (i, place) in places.enumerated() {
            paint(
                &canvas, .disc(place, 0.014),
                .flat(i % 2 == 0 ? [1, 1, 1, 0.9] : .init(rgb: 255, 236, 150, alpha: 0.9)))
        }
    }

    private static func room(_ canvas: inout Canvas) {
        gradient(&canvas, .init(rgb: 240, 228, 206), .init(rgb: 232, 216, 190), to: 0.7)
        // A faint striped wallpaper.
        for i in 0..<8 {
            let x = Float(i) / 8 + 0.03
            paint(&canvas, .box([x, 0], [x + 0.055, 0.7]), .flat([1, 1, 1, 0.22]))
        }
        // A window with a pale sky.
        paint(&canvas, .box([0.34, 0.09], [0.66, 0.45]), .flat(.init(rgb: 250, 248, 242)))
        paint(
            &canvas, .box([0.365, 0.115], [0.635, 0.425]),
            .linear(from: [0, 0.1], .init(rgb: 178, 214, 238), to: [0, 0.43], .init(rgb: 224, 238, 246)))
        paint(&canvas, .box([0.49, 0.1], [0.51, 0.44]), .flat(.init(rgb: 250, 248, 242)))
        paint(&canvas, .box([0.35, 0.26], [0.65, 0.28]), .flat(.init(rgb: 250, 248, 242)))
        gradient(&canvas, .init(rgb: 212, 178, 138), .init(rgb: 196, 158, 116), from: 0.7, to: 1.1)
        paint(&canvas, .box([-0.1, 0.68], [1.1, 0.72]), .flat(.init(rgb: 250, 246, 238)))
        for (i, y) in [Float(0.79), 0.88, 0.97].enumerated() {
            paint(&canvas, .box([-0.1, y], [1.1, y + 0.007]), .flat([0.35, 0.2, 0.1, 0.35]))
            for j in 0..<3 {
                let x = Float(j) * 0.38 + (i % 2 == 0 ? 0.12 : 0.3)
                paint(&canvas, .box([x, y], [x + 0.007, y + 0.09]), .flat([0.35, 0.2, 0.1, 0.35]))
            }
        }
    }

    private static func night(_ canvas: inout Canvas) {
        gradient(&canvas, .init(rgb: 12, 16, 50), .init(rgb: 48, 52, 104))
        let stars: [VectorPath.Point] = [
            [0.07, 0.1], [0.19, 0.31], [0.28, 0.07], [0.41, 0.22], [0.54, 0.06], [0.6, 0.36], [0.7, 0.16], [0.95, 0.4],
            [0.1, 0.52], [0.34, 0.48], [0.82, 0.58], [0.49, 0.62], [0.93, 0.08], [0.22, 0.7], [0.68, 0.68],
        ]
        for (i, place) in stars.enumerated() {
            paint(&canvas, .disc(place, i % 3 == 0 ? 0.011 : 0.007), .flat(.init(rgb: 255, 250, 220, alpha: 0.9)))
        }
        // A crescent: a disc less what another disc hides, as one outline.
        let crescent = VectorPath.curves(
            [0.85, 0.1],
            [
                ([0.77, 0.12], [0.77, 0.25], [0.88, 0.25]), ([0.92, 0.25], [0.95, 0.22], [0.96, 0.19]),
                ([0.9, 0.22], [0.83, 0.18], [0.85, 0.1]),
            ])
        paint(&canvas, crescent, .flat(.init(rgb: 232, 228, 200)))
        paint(&canvas, .ellipse([0.2, 1.04], [0.55, 0.2]), .flat(.init(rgb: 24, 32, 62)))
        paint(&canvas, .ellipse([0.85, 1.08], [0.6, 0.26]), .flat(.init(rgb: 18, 24, 50)))
    }

    private static func sea(_ canvas: inout Canvas) {
        gradient(&canvas, .init(rgb: 190, 222, 244), .init(rgb: 240, 244, 240), to: 0.4)
        paint(&canvas, cloud(0.24, 0.16, 0.11), .flat([1, 1, 1, 0.8]))
        paint(&canvas, cloud(0.76, 0.24, 0.09), .flat([1, 1, 1, 0.8]))
        gradient(&canvas, .init(rgb: 166, 214, 222), .init(rgb: 92, 164, 192), from: 0.38, to: 1.05)
        for row in 0..<6 {
            let y = 0.46 + Float(row) * 0.095
            let size = 0.05 + Float(row) * 0.016
            for j in 0..<5 {
                let x = Float(j) * 0.25 + (row % 2 == 0 ? 0.02 : 0.14)
                let wave = VectorPath.chain(
                    [x - size, y],
                    [
                        ([x - 0.6 * size, y - 0.45 * size], [x - 0.3 * size, y - 0.45 * size], [x, y]),
                        ([x + 0.3 * size, y - 0.45 * size], [x + 0.6 * size, y - 0.45 * size], [x + size, y]),
                    ])
                paint(&canvas, .line(wave, width: 0.007 + Float(row) * 0.0015), .flat([1, 1, 1, 0.55]))
            }
        }
    }

    private static func city(_ canvas: inout Canvas) {
        gradient(&canvas, .init(rgb: 206, 220, 234), .init(rgb: 242, 238, 230), to: 0.8)
        let towers: [(x: Float, width: Float, top: Float, color: SIMD4<Float>)] = [
            (-0.03, 0.17, 0.4, .init(rgb: 186, 192, 204)), (0.15, 0.14, 0.26, .init(rgb: 198, 190, 188)),
            (0.3, 0.18, 0.46, .init(rgb: 180, 188, 198)), (0.49, 0.13, 0.2, .init(rgb: 190, 196, 206)),
            (0.63, 0.19, 0.38, .init(rgb: 202, 194, 188)), (0.83, 0.2, 0.3, .init(rgb: 184, 190, 202)),
        ]
        for tower in towers {
            paint(&canvas, .box([tower.x, tower.top], [tower.x + tower.width, 0.85]), .flat(tower.color))
            var windows = VectorPath()
            var y = tower.top + 0.035
            while y < 0.76 {
                for column in 0..<3 {
                    let x = tower.x + tower.width * (0.14 + 0.28 * Float(column))
                    windows = windows.with(.box([x, y], [x + tower.width * 0.16, y + 0.035]))
                }
                y += 0.075
            }
            paint(&canvas, windows, .flat(.init(rgb: 248, 240, 206)))
        }
        paint(&canvas, .box([-0.1, 0.8], [1.1, 1.1]), .flat(.init(rgb: 148, 150, 158)))
        paint(&canvas, .box([-0.1, 0.79], [1.1, 0.82]), .flat(.init(rgb: 214, 212, 206)))
        for i in 0..<5 {
            let x = Float(i) * 0.24 - 0.04
            paint(&canvas, .box([x, 0.9], [x + 0.12, 0.92]), .flat([1, 1, 1, 0.85]))
        }
    }
}
