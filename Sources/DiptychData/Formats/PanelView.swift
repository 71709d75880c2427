import TensorIO

/// What of a pair's pictures a sample shows: a rectangle of both, mirrored or not.
public struct PanelView: Sendable, Hashable {
    /// The side of the rectangle as a share of the picture's, in `(0, 1]`.
    public var scale: Double
    /// Where it lies: 0 at the left or top, 1 at the right or bottom.
    public var x: Double, y: Double
    /// Whether left and right change places.
    public var isMirrored: Bool

    /// Describes a view.
    public init(scale: Double = 1, x: Double = 0, y: Double = 0, isMirrored: Bool = false) {
        precondition(scale > 0 && scale <= 1 && (0...1).contains(x) && (0...1).contains(y), "a view of \(scale)")
        self.scale = scale
        self.x = x
        self.y = y
        self.isMirrored = isMirrored
    }

    /// The pictures as they are.
    public static let whole = PanelView()

    func applied(to image: Image) -> Image {
        var image = image
        if scale < 1 {
            let (width, height) = (
                max(1, Int((Double(image.width) * scale).rounded())),
                max(1, Int((Double(image.height) * scale).rounded()))
            )
            image = image.crop(
                x: Int(Double(image.width - width) * x), y: Int(Double(image.height - height) * y), width: width,
                height: height)
        }
        return isMirrored ? image.oriented(.mirrored) : image
    }
}
