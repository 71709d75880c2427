public import TensorIO

/// Two panels on one canvas: a picture and its edit, beside each other (ICEdit, arXiv 2504.20690) or one above the other.
public struct Diptych: Sendable {
    /// The sizes, and how the panels lie.
    public let geometry: DiptychGeometry
    /// The whole picture.
    public let canvas: Image

    /// Puts two panels on a canvas. Both must already have the panel's size.
    public init(source: Image, edited: Image, arrangement: DiptychArrangement = .beside) {
        precondition(
            source.width == edited.width && source.height == edited.height,
            "panels of \(source.width) x \(source.height) and \(edited.width) x \(edited.height)")
        geometry = DiptychGeometry(panelWidth: source.width, panelHeight: source.height, arrangement: arrangement)
        var canvas = Image(width: geometry.canvasWidth, height: geometry.canvasHeight)
        for (panel, image) in [(DiptychPanel.source, source), (.edited, edited)] {
            let (x, y) = geometry.origin(of: panel)
            canvas.paste(image, x: x, y: y)
        }
        self.canvas = canvas
    }

    /// The diptych to edit: the source on both panels, the second one under the mask.
    public init(editing source: Image, arrangement: DiptychArrangement = .beside) {
        self.init(source: source, edited: source, arrangement: arrangement)
    }

    /// Takes a canvas apart again. It must have the geometry's size.
    public init(canvas: Image, geometry: DiptychGeometry) {
        precondition(
            canvas.width == geometry.canvasWidth && canvas.height == geometry.canvasHeight,
            "a canvas of \(canvas.width) x \(canvas.height) for one of \(geometry.canvasWidth) x \(geometry.canvasHeight)"
        )
        self.geometry = geometry
        self.canvas = canvas
    }

    /// The panel with the picture as it was.
    public var source: Image { panel(.source) }
    /// The panel with the picture as it becomes.
    public var edited: Image { panel(.edited) }

    private func panel(_ panel: DiptychPanel) -> Image {
        let (x, y) = geometry.origin(of: panel)
        return canvas.crop(x: x, y: y, width: geometry.panelWidth, height: geometry.panelHeight)
    }
}
