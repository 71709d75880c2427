import Foundation

/// An area bounded by closed outlines of straight pieces, `y` down; curves are cut into pieces as they are added.
///
/// Outlines that run clockwise on the screen count +1, the others -1, and what adds up to anything but 0 is inside, so
/// that parts may overlap and holes run the other way round.
package struct VectorPath: Sendable, Hashable {
    /// A place; the units are those of whoever draws it.
    package typealias Point = SIMD2<Float>

    /// The outlines, each without its first point repeated.
    package private(set) var contours: [[Point]] = []

    /// Nothing.
    package init() {}

    /// A polygon; turned to run clockwise.
    package static func polygon(_ points: [Point]) -> VectorPath {
        var path = VectorPath()
        path.add(points)
        return path
    }

    /// An ellipse, or the part of one between two angles (in turns, clockwise from the right) closed by its chord.
    package static func ellipse(
        _ center: Point, _ radii: Point, from start: Float = 0, to end: Float = 1, tilt: Float = 0
    ) -> VectorPath {
        let pieces = max(8, Int((abs(end - start) * 56).rounded(.up)))
        let isWhole = abs(end - start) >= 1
        let turn = SIMD2(cos(tilt * 2 * .pi), sin(tilt * 2 * .pi))
        return polygon(
            (0...(isWhole ? pieces - 1 : pieces)).map { i in
                let angle = (start + (end - start) * Float(i) / Float(pieces)) * 2 * .pi
                let p = radii * SIMD2(cos(angle), sin(angle))
                return center + SIMD2(p.x * turn.x - p.y * turn.y, p.x * turn.y + p.y * turn.x)
            })
    }

    /// A disc.
    package static func disc(_ center: Point, _ radius: Float) -> VectorPath { ellipse(center, [radius, radius]) }

    /// A rectangle with rounded corners, from its top left to its bottom right corner.
    package static func box(_ low: Point, _ high: Point, corner: Float = 0) -> VectorPath {
        if corner <= 0 { return polygon([low, [high.x, low.y], high, [low.x, high.y]]) }
        let r = min(corner, min(high.x - low.x, high.y - low.y) / 2)
        let centers: [Point] = [
            high - r, [low.x + r, high.y - r], low + r, [high.x - r, low.y + r],
        ]
        var points: [Point] = []
        for (quarter, center) in centers.enumerated() {
            for i in 0...8 {
                let angle = (Float(quarter) + Float(i) / 8) * .pi / 2
                points.append(center + r * SIMD2(cos(angle), sin(angle)))
            }
        }
        return polygon(points)
    }

    /// A star of `tips` tips, the first straight up.
    package static func star(_ center: Point, outer: Float, inner: Float, tips: Int) -> VectorPath {
        polygon(
            (0..<2 * tips).map { i in
                let angle = (Float(i) / Float(2 * tips) - 0.25) * 2 * .pi
                return center + (i % 2 == 0 ? outer : inner) * SIMD2(cos(angle), sin(angle))
            })
    }

    /// A closed chain of cubic Bézier curves: the start, then two control points and an end for each.
    package static func curves(_ start: Point, _ curves: [(Point, Point, Point)]) -> VectorPath {
        polygon(chain(start, curves).dropLast())
    }

    /// The points of a chain of cubic Bézier curves with both ends.
    package static func chain(_ start: Point, _ curves: [(Point, Point, Point)]) -> [Point] {
        let pieces = 14
        var points = [start]
        var from = start
        for (a, b, to) in curves {
            for i in 1...pieces {
                let t = Float(i) / Float(pieces)
                let s = 1 - t
                let ends = s * s * s * from + t * t * t * to
                points.append(ends + 3 * s * s * t * a + 3 * s * t * t * b)
            }
            from = to
        }
        return points
    }

    /// A line of this width along open `points`, cut off square at both ends.
    package static func line(_ points: [Point], width: Float) -> VectorPath {
        precondition(points.count >= 2, "a line of \(points.count) points")
        var there: [Point] = []
        var back: [Point] = []
        for i in points.indices {
            let before = i > 0 ? direction(points[i - 1], points[i]) : nil
            let after = i + 1 < points.count ? direction(points[i], points[i + 1]) : nil
            let offset = corner(before ?? after!, after ?? before!) * (width / 2)
            there.append(points[i] + offset)
            back.append(points[i] - offset)
        }
        return polygon(there + back.reversed())
    }

    /// This and another path together.
    package func with(_ other: VectorPath) -> VectorPath {
        var path = self
        path.contours += other.contours
        return path
    }

    /// This path with the inside of another cut out; the other must lie inside of one outline.
    package func without(_ hole: VectorPath) -> VectorPath {
        var path = self
        path.contours += hole.contours.map { $0.reversed() }
        return path
    }

    /// Every outline moved outwards by `distance`: what a pen of twice that width would add along the edge. Sharp tips
    /// are cut at two and a half times the distance.
    package func outset(_ distance: Float) -> VectorPath {
        var path = VectorPath()
        path.contours = contours.map { points in
            points.indices.map { i in
                let before = points[(i + points.count - 1) % points.count]
                let after = points[(i + 1) % points.count]
                return points[i] - Self.corner(Self.direction(before, points[i]), Self.direction(points[i], after))
                    * distance
            }
        }
        return path
    }

    /// The smallest rectangle around the path; nil when it is empty.
    package var bounds: (low: Point, high: Point)? {
        guard let first = contours.first?.first else { return nil }
        var (low, high) = (first, first)
        for contour in contours {
            for point in contour {
                low = pointwiseMin(low, point)
                high = pointwiseMax(high, point)
            }
        }
        return (low, high)
    }

    private mutating func add(_ points: [Point]) {
        var area: Float = 0
        var last = points[points.count - 1]
        for point in points {
            area += last.x * point.y - last.y * point.x
            last = point
        }
        contours.append(area < 0 ? points.reversed() : points)
    }

    private static func direction(_ a: Point, _ b: Point) -> Point {
        let d = b - a
        let length = (d * d).sum().squareRoot()
        return length > 0 ? d / length : [1, 0]
    }

    /// Where the line that runs at distance 1 beside a bent line bends: to the right of the way, that is inwards of a
    /// clockwise outline.
    private static func corner(_ before: Point, _ after: Point) -> Point {
        let a = Point(-before.y, before.x)
        let b = Point(-after.y, after.x)
        let sum = a + b
        let scale = 2 / max((sum * sum).sum(), 1e-6)
        let length = 2 / max((sum * sum).sum().squareRoot(), 1e-6)
        return sum * scale * min(1, 2.5 / length)
    }
}
