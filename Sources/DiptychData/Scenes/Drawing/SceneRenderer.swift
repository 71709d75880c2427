import Foundation
import Synchronization
public import TensorIO

/// Draws scenes at one size of panel, anti-aliased.
///
/// A picture is a function of its description, the size and, at level 3, the photographs.
public final class SceneRenderer: Sendable {
    /// The side of a panel in pixels.
    public let size: Int
    /// The photographs of level 3.
    public let photos: ScenePhotos
    private let backdrops = Mutex<[Backdrop: Canvas]>([:])

    /// What a background depends on.
    private struct Backdrop: Hashable {
        let background: SceneBackground
        let photo: String?
        let crop: Int?
        let weather: SceneWeather
        let style: SceneStyle
    }

    /// The most bytes of backgrounds that are kept.
    private static let budget = 64 << 20

    /// Draws panels of `size` x `size` pixels.
    public init(size: Int, photos: ScenePhotos = .none) {
        precondition(size > 0, "panels of \(size) pixels")
        self.size = size
        self.photos = photos
    }

    /// The picture of a scene.
    public func image(of scene: Scene) -> Image { canvas(of: scene).image }

    func canvas(of scene: Scene) -> Canvas {
        var canvas = backdrop(of: scene)
        Self.addGrain(scene.grain, amplitude: scene.level == 1 ? 0.006 : 0.014, to: &canvas)
        for object in scene.objects { draw(object, of: scene, on: &canvas) }
        scene.weather.veil(&canvas)
        let tone = scene.tone
        if tone != .neutral { canvas.map { tone.applied(to: $0) } }
        return canvas
    }

    /// Where source and target differ: white there, black elsewhere.
    public static func mask(_ source: Image, _ target: Image) -> Image {
        precondition(source.width == target.width && source.height == target.height, "\(source) and \(target)")
        var values = [UInt8](repeating: 0, count: source.pixels.count)
        for i in stride(from: 0, to: values.count, by: 3)
        where source.pixels[i] != target.pixels[i] || source.pixels[i + 1] != target.pixels[i + 1]
            || source.pixels[i + 2] != target.pixels[i + 2]
        {
            for channel in 0..<3 { values[i + channel] = 255 }
        }
        return Image(width: source.width, height: source.height, pixels: values)
    }

    private func backdrop(of scene: Scene) -> Canvas {
        let key = Backdrop(
            background: scene.background, photo: scene.photo, crop: scene.crop, weather: scene.weather,
            style: scene.style)
        if let known = backdrops.withLock({ $0[key] }) { return known }
        var canvas: Canvas
        if scene.background == .photo {
            canvas = Canvas(photos.crop(scene.photo ?? "", number: scene.crop ?? 0, size: size))
        } else {
            canvas = Canvas(width: size, height: size)
            scene.background.draw(on: &canvas)
        }
        scene.weather.tint(&canvas)
        scene.style.redraw(&canvas)
        let made = canvas
        backdrops.withLock { kept in
            if (kept.count + 1) * size * size * 16 <= Self.budget { kept[key] = made }
        }
        return canvas
    }

    /// Adds soft noise: random values on a grid of 9 x 9 points, interpolated.
    private static func addGrain(_ seed: Int, amplitude: Float, to canvas: inout Canvas) {
        let side = 9
        let lattice = (0..<side * side).map { i -> Float in
            var word =
                UInt64(truncatingIfNeeded: seed) &* 0x9E37_79B9_7F4A_7C15 &+ UInt64(i + 1) &* 0xD1B5_4A32_D192_ED03
            word = (word ^ word >> 32) &* 0xD6E8_FEB8_6659_FD93
            return (Float((word ^ word >> 32) >> 40 & 0xFF_FFFF) * 0x1p-24 - 0.5) * 2 * amplitude
        }
        let (width, height) = (canvas.width, canvas.height)
        canvas.pixels.withUnsafeMutableBufferPointer { pixels in
            for y in 0..<height {
                let v = (Float(y) + 0.5) / Float(height) * Float(side - 1)
                let row = Int(v)
                let t = v - Float(row)
                for x in 0..<width {
                    let u = (Float(x) + 0.5) / Float(width) * Float(side - 1)
                    let column = Int(u)
                    let s = u - Float(column)
                    let i = row * side + column
                    let upper = lattice[i] + (lattice[i + 1] - lattice[i]) * s
                    let lower = lattice[i + side] + (lattice[i + side + 1] - lattice[i + side]) * s
                    pixels[y * width + x] += upper + (lower - upper) * t
                }
            }
        }
    }

    private func draw(_ object: SceneObject, of scene: Scene, on canvas: inout Canvas) {
        let unit = Float(size) / 1024
        let side = Float(object.size.side(level: scene.level)) * unit
        let origin = SIMD2(Float(object.x), Float(object.y)) * unit
        let color = object.color.value
        let parts = object.kind.parts
        if scene.level == 3 {
            // A white edge, as of a sticker, sets things off from any photograph.
            let edge = SceneObjectRims.paths(object.kind, distance: SceneObjectRims.sticker)
            for path in edge { canvas.fill(path, scale: side, at: origin, .flat([1, 1, 1, 1])) }
        }
        if let pen = scene.style.pen(color) {
            for path in SceneObjectRims.paths(object.kind, distance: pen.width) {
                canvas.fill(path, scale: side, at: origin, .flat(pen.color))
            }
        }
        for part in parts {
            for paint in scene.style.paints(part.role, color) {
                canvas.fill(part.path, scale: side, at: origin, paint)
            }
        }
        if object.kind == .picture { lay(object.photo ?? "", side: side, at: origin, on: &canvas) }
    }

    /// Lays a photograph into its frame.
    private func lay(_ photo: String, side: Float, at origin: SIMD2<Float>, on canvas: inout Canvas) {
        let inner = max(1, Int((side * 0.8).rounded()))
        let image = photos.crop(photo, number: 0, size: inner)
        let left = Int((origin.x - Float(inner) / 2).rounded())
        let top = Int((origin.y - Float(inner) / 2).rounded())
        for y in max(0, -top)..<max(max(0, -top), min(inner, canvas.height - top)) {
            for x in max(0, -left)..<max(max(0, -left), min(inner, canvas.width - left)) {
                canvas.pixels[(top + y) * canvas.width + left + x] = SIMD4(SIMD3<Float>(image[x, y]) / 255, 1)
            }
        }
    }
}

/// The outlines of objects moved outwards, made once for each distance.
enum SceneObjectRims {
    /// How far the white edge of level 3 reaches, as a share of the object's side.
    static let sticker: Float = 0.1

    private struct Key: Hashable {
        let kind: SceneObjectKind
        let distance: Float
    }
    private static let known: [Key: [VectorPath]] = {
        var known: [Key: [VectorPath]] = [:]
        let distances = SceneStyle.allCases.compactMap { $0.pen(.one)?.width } + [sticker]
        for kind in SceneObjectKind.allCases {
            for distance in distances {
                known[Key(kind: kind, distance: distance)] = kind.parts.filter(\.isOutlined)
                    .map { $0.path.outset(distance) }
            }
        }
        return known
    }()

    static func paths(_ kind: SceneObjectKind, distance: Float) -> [VectorPath] {
        known[Key(kind: kind, distance: distance)]!
    }
}
