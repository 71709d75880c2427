public import TensorIO

/// Two panels side by side: the source image on the left, its edit on the right (ICEdit, arXiv 2504.20690).
public struct Diptych: Sendable {
    /// The sizes.
    public let geometry: DiptychGeometry
    /// The whole picture, `2 panelWidth x height`.
    public let canvas: Image

    /// Puts two panels beside each other. Both must already have the panel's size.
    public init(left: Image, right: Image) {
        precondition(
            left.width == right.width && left.height == right.height,
            "panels of \(left.width) x \(left.height) and \(right.width) x \(right.height)")
        geometry = DiptychGeometry(panelWidth: left.width, height: left.height)
        var canvas = Image(width: 2 * left.width, height: left.height)
        canvas.paste(left, x: 0, y: 0)
        canvas.paste(right, x: left.width, y: 0)
        self.canvas = canvas
    }

    /// The diptych to edit: the source on both sides, the right one under the mask.
    public init(source: Image) { self.init(left: source, right: source) }

    /// Takes a canvas apart again.
    public init(canvas: Image) {
        geometry = DiptychGeometry(panelWidth: canvas.width / 2, height: canvas.height)
        self.canvas = canvas
    }

    /// The left panel.
    public var left: Image { panel(at: 0) }
    /// The right panel.
    public var right: Image { panel(at: geometry.panelWidth) }

    private func panel(at x: Int) -> Image {
        canvas.crop(x: x, y: 0, width: geometry.panelWidth, height: geometry.height)
    }
}
