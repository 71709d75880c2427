import Foundation
public import TensorIO

/// Decides from its pixels whether an edited picture is what the edit asked for: the named object is there, gone,
/// recoloured, at its place, or the whole has its new look, and everything else is as it was.
///
///     let oracle = SceneOracle(photos: .none)
///     oracle.judge(picture, of: edit).isMet
///
/// The oracle draws the goal, and everything that might have been drawn instead, and asks to which the picture comes
/// nearest. It looks at 64 x 64 pixels, slightly blurred, so that noise, a JPEG's or an autoencoder's losses and a
/// displacement by a pixel do not count.
public struct SceneOracle: Sendable {
    /// What the oracle finds.
    public struct Verdict: Sendable, Equatable {
        /// Whether the picture looks more like the goal than like any other result, where they differ.
        public let isDone: Bool
        /// Whether the edited area looks like the goal, whatever else it might be.
        public let isClean: Bool
        /// Whether all that the edit does not concern is as it should be.
        public let isKept: Bool

        /// Whether the edit succeeded.
        public var isMet: Bool { isDone && isClean && isKept }
    }

    /// The side at which pictures are compared.
    public static let side = 64
    /// The most by which a block outside the edited area may differ, as a distance of 0 … 1 colours.
    static let keptTolerance: Float = 0.115
    /// The most by which a block inside the edited area, or of an edit of the whole, may differ.
    static let cleanTolerance: Float = 0.2
    /// How much nearer to the goal than to anything else: the ratio of the squared distances.
    static let nearness: Float = 0.6

    private let photos: ScenePhotos
    private let plain: SceneRenderer

    /// An oracle for scenes with these photographs.
    public init(photos: ScenePhotos = .none) {
        self.photos = photos
        plain = SceneRenderer(size: Self.side, photos: photos)
    }

    /// Judges a square picture of any size.
    public func judge(_ picture: Image, of edit: SceneEdit) -> Verdict {
        // Drawings look the same at any size. Photographs do not, once a style has sharpened what sampling left.
        let isPhoto = edit.source.background == .photo && picture.width == picture.height && picture.width > Self.side
        let view = SceneView(isPhoto ? SceneRenderer(size: picture.width, photos: photos) : plain)
        let found = view.picture(picture)
        let source = view.picture(edit.source)
        let target = view.picture(edit.target)
        let goal = nearestGoal(of: edit, to: found, view)
        let drawn = view.picture(goal)
        // The edited area with a margin of two pixels; all of the picture when the edit concerns it.
        let area =
            edit.task.isLocal
            ? source.differs(from: drawn, by: 0.02).union(source.differs(from: target, by: 0.02)).grown(by: 2)
            : PixelSet(everything: true)
        let isDone = edit.alternatives(to: goal, photos: photos.names).allSatisfy { scene in
            let other = view.picture(scene)
            let contested = drawn.differs(from: other, by: 0.08)
            // What cannot be told apart cannot be asked for, such as something hidden.
            guard contested.count >= 6 else { return true }
            return found.distance(to: drawn, in: contested) < Self.nearness * found.distance(to: other, in: contested)
        }
        return Verdict(
            isDone: isDone, isClean: found.blockDistance(to: drawn, in: area) <= Self.cleanTolerance,
            isKept: found.blockDistance(to: source, in: area.inverted) <= Self.keptTolerance)
    }

    /// The target with its object a little beside, where the words leave that open.
    private func nearestGoal(of edit: SceneEdit, to found: ComparedPicture, _ view: SceneView) -> Scene {
        guard let index = edit.object, edit.task != .remove else { return edit.target }
        let target = view.picture(edit.target)
        let area = view.picture(edit.source).differs(from: target, by: 0.02).grown(by: 2)
        var best = (scene: edit.target, distance: found.distance(to: target, in: area))
        // A pixel at a time, as long as it helps; words leave no more than three open.
        for _ in 0..<3 {
            let middle = best.scene
            for (dx, dy) in [(-16, 0), (16, 0), (0, -16), (0, 16), (-16, -16), (16, 16), (-16, 16), (16, -16)] {
                let moved = middle.with { scene in
                    scene.objects[index].x += dx
                    scene.objects[index].y += dy
                }
                let distance = found.distance(to: view.picture(moved), in: area)
                if distance < best.distance { best = (moved, distance) }
            }
            if best.scene == middle { break }
        }
        return best.scene
    }
}

/// Scenes and pictures as the oracle looks at them.
private struct SceneView {
    let renderer: SceneRenderer

    init(_ renderer: SceneRenderer) { self.renderer = renderer }

    func picture(_ scene: Scene) -> ComparedPicture {
        renderer.size == SceneOracle.side
            ? ComparedPicture(renderer.canvas(of: scene)) : picture(renderer.image(of: scene))
    }

    func picture(_ image: Image) -> ComparedPicture {
        let side = SceneOracle.side
        let isSmall = image.width == side && image.height == side
        return ComparedPicture(Canvas(isSmall ? image : image.resized(width: side, height: side, filter: .bilinear)))
    }
}
