import DiptychData
import TensorIO
import TestSupport
import Testing

/// Areas against what they must cover, and against counting 64 x 64 points a pixel.
@Suite struct CanvasTests {
    private let white = Paint.flat([1, 1, 1, 1])

    private func covered(_ path: VectorPath, width: Int = 16, height: Int = 12) -> [Float] {
        var canvas = Canvas(width: width, height: height, color: [0, 0, 0, 1])
        canvas.fill(path, white)
        return canvas.pixels.map(\.x)
    }

    /// The share of points of each pixel that lie inside one polygon.
    private func counted(_ points: [VectorPath.Point], width: Int = 16, height: Int = 12) -> [Float] {
        let side = 64
        return (0..<width * height).map { pixel in
            var inside = 0
            for i in 0..<side * side {
                let p = SIMD2(
                    Float(pixel % width) + (Float(i % side) + 0.5) / Float(side),
                    Float(pixel / width) + (Float(i / side) + 0.5) / Float(side))
                var crossings = 0
                var a = points[points.count - 1]
                for b in points {
                    if (a.y > p.y) != (b.y > p.y), p.x < a.x + (p.y - a.y) / (b.y - a.y) * (b.x - a.x) {
                        crossings += 1
                    }
                    a = b
                }
                inside += crossings % 2
            }
            return Float(inside) / Float(side * side)
        }
    }

    @Test(arguments: [
        [SIMD2<Float>(2.3, 1.2), [13.7, 4.1], [6.2, 10.9]],
        [[3.25, 2.5], [9.75, 2.5], [9.75, 8.25], [3.25, 8.25]],
        [[1.1, 5.05], [14.9, 5.2], [14.9, 5.6], [1.1, 5.4]],
        [
            [8, 1], [9.5, 5], [14, 5.3], [10.4, 7.4], [12, 11.5], [8, 9], [4, 11.4], [5.6, 7.4], [2, 5.2], [6.4, 5],
        ],
        // Beyond every border.
        [[-7, -3], [22, 4], [12, 19]], [[-40, 5.3], [40, 5.9], [40, 7], [-40, 6.1]],
        [[-5, 2], [3, -6], [25, 9], [14, 20]],
    ])
    func coverageIsExact(points: [SIMD2<Float>]) {
        let found = covered(.polygon(points))
        let expected = counted(points)
        let error = zip(found, expected).map { abs($0 - $1) }.max()!
        // What counting points leaves out along an edge.
        #expect(error < 0.02, "largest error \(error)")
        // Either direction gives the same.
        #expect(covered(.polygon(points.reversed())) == found)
    }

    @Test func areasAddUp() {
        let disc = covered(.disc([8, 6], 5)).reduce(0, +)
        #expect(abs(disc - 25 * .pi) < 0.3)
        // Two discs that overlap cover what they share once; a hole takes away.
        let both = covered(VectorPath.disc([6, 6], 3).with(.disc([8, 6], 3))).reduce(0, +)
        #expect(abs(both - 40.39) < 0.5)
        let ring = covered(VectorPath.disc([8, 6], 5).without(.disc([8, 6], 3))).reduce(0, +)
        #expect(abs(ring - 16 * .pi) < 0.3)
        #expect(covered(VectorPath()).allSatisfy { $0 == 0 })
        #expect(covered(.disc([40, 6], 5)).allSatisfy { $0 == 0 })
        #expect(covered(.box([-1, -1], [17, 13])).allSatisfy { $0 == 1 })
    }

    @Test func outsetsAndLinesHaveTheirWidth() {
        let box = VectorPath.box([4, 4], [10, 8])
        #expect(abs(covered(box.outset(1)).reduce(0, +) - 8 * 6) < 1e-3)
        #expect(abs(covered(.line([[2, 3], [12, 3], [12, 9]], width: 2)).reduce(0, +) - (22 + 10)) < 1e-3)
        let bounds = VectorPath.star([8, 6], outer: 5, inner: 2, tips: 5).outset(0.5).bounds!
        // Tips are cut.
        #expect(bounds.low.y < 0.5 && bounds.low.y > -0.5)
    }

    @Test func scalingMovesTheSameShape() {
        var canvas = Canvas(width: 16, height: 12, color: [0, 0, 0, 1])
        canvas.fill(.polygon([[0, 0], [1, 0], [0.5, 1]]), scale: 6, at: [3, 2], white)
        #expect(canvas.pixels.map(\.x) == covered(.polygon([[3, 2], [9, 2], [6, 8]])))
    }

    @Test func paintsAreMixedByTheirOpacity() {
        var canvas = Canvas(width: 4, height: 1, color: [0, 0, 0, 1])
        canvas.fill(.box([0, 0], [4, 1]), .linear(from: [0.5, 0], [0, 0, 0, 1], to: [3.5, 0], [0.9, 0.9, 0.9, 1]))
        for (x, value) in [Float(0), 0.3, 0.6, 0.9].enumerated() { #expect(abs(canvas.pixels[x].x - value) < 1e-5) }
        canvas.fill(.box([0, 0], [4, 1]), .flat([1, 0, 0, 0.5]))
        #expect(abs(canvas.pixels[3].x - 0.95) < 1e-5 && abs(canvas.pixels[3].y - 0.45) < 1e-5)
        #expect(canvas.image[3, 0] == [242, 115, 115])
    }
}
